"""What holds for each layout, in a zip and in a folder: a layout that is added is tested here.

Its small set of samples stands in `laid_out.SETS`.
"""

import os
import socket
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.data.archives import LIMITS, write_zip
from tests.data.laid_out import KINDS, SETS, Laid, MadeUp

from fusebench.data.layout import Layout, Recognised
from fusebench.data.opened import open_container
from fusebench.data.settings import LAYOUTS, Limits
from fusebench.data.tree import Tree
from fusebench.errors import ArchiveError, BadSamplesError
from fusebench.samples.samples import open_samples, read_samples_table

OUTPUTS = {"rgb.npy", "lidar.npy", "angles.npz", "samples.csv", "skipped.csv", "dataset.json"}


@pytest.fixture(params=LAYOUTS.names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def made(name: str) -> MadeUp:
    return SETS[name]


@pytest.fixture(params=KINDS)
def laid(request: pytest.FixtureRequest, made: MadeUp, tmp_path: Path) -> Laid:
    return Laid(tmp_path, made, request.param)


@pytest.fixture
def folder(made: MadeUp, tmp_path: Path) -> Laid:
    return Laid(tmp_path, made, "folder")


def test_each_layout_has_a_set_of_samples() -> None:
    assert sorted(SETS) == LAYOUTS.names()


# --- What comes out ---


def test_a_zip_and_a_folder_give_the_same_samples_to_the_bit(made: MadeUp, tmp_path: Path) -> None:
    written = []
    for kind in KINDS:
        laid = Laid(tmp_path / kind, made, kind)
        summary = laid.extract()
        assert summary["bad_samples"] == 0
        assert min(summary["pairs"].values()) >= 2
        written.append(laid.outputs())
    assert set(written[0]) == {"data.json", *(f"samples/{file}" for file in OUTPUTS)}
    assert written[0] == written[1]
    samples = open_samples(tmp_path / "zip/out/samples")
    assert len(samples.table) == sum(summary["pairs"].values())
    # No sample is all of one value, or like another.
    assert samples.table["digest"].is_unique
    assert all(np.ptp(image) > 0 for image in samples.rgb)
    assert all((ranges < samples.dataset.max_range).any() for ranges in samples.lidar)
    samples.images(range(len(samples.table)))


def test_no_order_of_members_changes_a_byte(made: MadeUp, tmp_path: Path) -> None:
    laid = Laid(tmp_path, made, "zip")
    laid.extract()
    before = laid.outputs()
    for shuffle in range(3):
        write_zip(laid.path, made.files, prefix="", shuffle=shuffle)
        laid.extract()
        assert laid.outputs() == before


def test_extracting_again_gives_the_same_bytes(laid: Laid) -> None:
    laid.extract()
    before = laid.outputs()
    laid.extract()
    assert laid.outputs() == before


def test_samples_stand_by_class_as_listed_then_by_id(laid: Laid) -> None:
    classes = [*laid.made.params("x").classes][::-1]
    laid.extract(classes=classes)
    table = read_samples_table(laid.root / "out/samples")
    keys = list(zip(table["label"], table["id"], strict=True))
    assert keys == sorted(keys)
    assert [classes[label] for label in table["label"]] == table["class"].tolist()
    assert not table["group"].eq("").any()


def test_a_container_is_recognised_by_its_own_layout_alone(laid: Laid, name: str) -> None:
    with open_container(laid.path, Limits.model_validate(LIMITS)) as container:
        found = {
            other: LAYOUTS.load(other, Layout).recognised(container) for other in LAYOUTS.names()
        }
    params = laid.made.params(laid.path)
    (recognised,) = found.pop(name)
    assert isinstance(recognised, Recognised)
    assert set(params.classes) <= set(recognised.classes)
    assert recognised.manifest == params.manifest
    assert not any(found.values())


def test_what_is_no_sample_may_lie_beside_them(laid: Laid) -> None:
    laid.extract()
    before = laid.outputs()
    beside = {"LICENSE": b"free", "notes/read me.txt": b"\xff", ".DS_Store": b"x", "a/.hidden": b""}
    laid.write(beside)
    laid.extract()
    assert laid.outputs() == before


# --- Names ---


@pytest.mark.parametrize("odd", ["../x.png", "a/../../x", "a\\b.png"])
def test_a_name_that_is_no_path_in_the_zip_is_refused(
    made: MadeUp, odd: str, tmp_path: Path
) -> None:
    laid = Laid(tmp_path, made, "zip")
    laid.write({odd: b""})
    with pytest.raises(ArchiveError, match=r"has '.*' in its name; zip the folder anew"):
        laid.extract(on_bad_sample="skip")
    assert laid.outputs() == {}


def test_a_name_that_stands_in_a_zip_twice_is_refused(made: MadeUp, tmp_path: Path) -> None:
    laid = Laid(tmp_path, made, "zip")
    with (
        warnings.catch_warnings(action="ignore"),
        zipfile.ZipFile(laid.path, "a") as archive,
    ):
        archive.writestr(f"./{made.image}", made.files[made.image])
    with pytest.raises(ArchiveError) as caught:
        laid.extract(on_bad_sample="skip")
    assert str(caught.value) == (
        f"{laid.path}: member './{made.image}' stands in the zip twice; make it anew"
    )
    assert laid.outputs() == {}


# --- Bad samples ---


@pytest.mark.parametrize("content", [b"", b"no sample", b"\x89PNG\r\n\x1a\n"], ids=repr)
@pytest.mark.parametrize("which", ["image", "lidar"])
def test_bad_samples_are_listed_by_name_and_left_out_or_nothing_is_written(
    laid: Laid, which: str, content: bytes
) -> None:
    laid.extract()
    whole = open_samples(laid.root / "out/samples")
    before = laid.outputs()
    file = getattr(laid.made, which)
    laid.write({file: content})
    with pytest.raises(BadSamplesError) as caught:
        laid.extract()
    assert laid.outputs() == before
    assert len(caught.value.problems) == laid.made.of_file
    assert all(f"{file}: " in line and line.isprintable() for line in caught.value.problems)
    summary = laid.extract(on_bad_sample="skip")
    assert summary["bad_samples"] == laid.made.of_file
    assert laid.skipped() == list(caught.value.problems)
    samples = open_samples(laid.root / "out/samples")
    assert len(samples.table) == len(whole.table) - laid.made.of_file
    # All others are to the bit what they were.
    keys = ["class", "id", "group", "digest"]
    kept = whole.table.merge(samples.table[keys], on=keys)
    assert samples.table["digest"].tolist() == kept["digest"].tolist()
    np.testing.assert_array_equal(samples.rgb, whole.rgb[kept["row"]])
    np.testing.assert_array_equal(samples.lidar, whole.lidar[kept["row"]])


def test_a_class_that_is_not_there_is_refused_and_named(laid: Laid) -> None:
    classes = [*laid.made.params("x").classes, "unheard of"]
    with pytest.raises(ArchiveError, match="unheard of") as caught:
        laid.extract(classes=classes, on_bad_sample="skip")
    assert not isinstance(caught.value, BadSamplesError)
    assert str(caught.value).startswith(f"{laid.path}: ")
    assert str(caught.value).isprintable()
    assert laid.outputs() == {}


def test_an_empty_container_is_refused(laid: Laid) -> None:
    laid.write(omit=set(laid.made.files))
    laid.path.mkdir(exist_ok=True) if laid.kind == "folder" else None
    with pytest.raises(ArchiveError) as caught:
        laid.extract(on_bad_sample="skip")
    assert str(caught.value).startswith(f"{laid.path}: ")
    assert laid.outputs() == {}


# --- Limits ---


def test_more_members_than_allowed_are_refused(laid: Laid) -> None:
    count = len(laid.made.files)
    with pytest.raises(ArchiveError, match=r"data\.limits\.members allows 3: raise it if you tr"):
        laid.extract(limits=LIMITS | {"members": 3})
    assert laid.outputs() == {}
    # A folder counts its folders, too.
    laid.extract(limits=LIMITS | {"members": count * 2})


def test_a_file_above_its_limit_is_a_bad_sample(laid: Laid) -> None:
    large = {laid.made.image: bytes(300_000)}
    laid.write(large)
    with pytest.raises(BadSamplesError) as caught:
        laid.extract(limits=LIMITS | {"member_bytes": 299_999, "ratio": 10_000})
    assert len(caught.value.problems) == laid.made.of_file
    for line in caught.value.problems:
        assert f"{laid.made.image}: 300,000 bytes; at most 299,999 are allowed" in line


def test_too_much_in_all_is_refused_and_what_is_not_read_is_not_counted(laid: Laid) -> None:
    laid.write({"beside.bin": bytes(5_000_000)})
    total = sum(map(len, laid.made.files.values()))
    laid.extract(limits=LIMITS | {"total_bytes": total})
    before = laid.outputs()
    with pytest.raises(ArchiveError, match=r"data\.limits\.total_bytes allows 5,000: raise it if"):
        laid.extract(limits=LIMITS | {"total_bytes": 5_000})
    assert laid.outputs() == before


def test_a_zip_and_a_folder_are_above_the_same_total(made: MadeUp, tmp_path: Path) -> None:
    """A file that several samples share counts once."""
    laid = [Laid(tmp_path / kind, made, kind) for kind in KINDS]
    low, high = 1, sum(map(len, made.files.values()))
    while low < high:
        middle = (low + high) // 2
        allowed = []
        for one in laid:
            with open_container(
                one.path, Limits.model_validate(LIMITS | {"total_bytes": middle})
            ) as container:
                params = made.params(one.path)
                found = LAYOUTS.load(params.layout, Layout)(container, params, made.sensors())
                try:
                    container.check_limits(found.members())
                except ArchiveError:
                    allowed.append(False)
                else:
                    allowed.append(True)
        assert allowed[0] == allowed[1]
        low, high = (low, middle) if allowed[0] else (middle + 1, high)
    assert low > len(made.files[made.image])


# --- Folders: what a disk holds beside files ---


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def link_outside(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


def link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("gone")


def link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def link_to_a_folder(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def listening(path: Path) -> None:
    path.unlink()
    # Paths of sockets are short.
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


ODD = [
    (link, "a symbolic link; put the file that it points to there"),
    (link_outside, "a symbolic link; put the file that it points to there"),
    (link_to_nothing, "a symbolic link; put the file that it points to there"),
    (link_to_itself, "a symbolic link; put the file that it points to there"),
    (link_to_a_folder, "a symbolic link; put the file that it points to there"),
    (pipe, "no file"),
    (listening, "no file"),
]


@pytest.mark.parametrize(("change", "message"), ODD, ids=lambda odd: getattr(odd, "__name__", ""))
@pytest.mark.parametrize("which", ["image", "lidar"])
def test_what_is_no_file_is_a_bad_sample_and_not_waited_for(
    folder: Laid, which: str, change: Callable[[Path], None], message: str
) -> None:
    file = getattr(folder.made, which)
    change(folder.path / file)
    with pytest.raises(BadSamplesError) as caught:
        folder.extract()
    assert folder.outputs() == {}
    assert len(caught.value.problems) == folder.made.of_file
    assert all(f"{file}: {message}" in line for line in caught.value.problems)
    assert folder.extract(on_bad_sample="skip")["bad_samples"] == folder.made.of_file
    assert folder.skipped() == list(caught.value.problems)


@pytest.mark.parametrize("which", ["image", "lidar"])
def test_a_file_that_this_user_may_not_read_is_a_bad_sample(
    folder: Laid, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder.path / getattr(folder.made, which)
    file.chmod(0)
    if os.access(file, os.R_OK):
        # This user may read everything.
        opened = os.open

        def refusing(path: Path, *others: int) -> int:
            if path == file:
                raise PermissionError(13, "Permission denied", str(path))
            return opened(path, *others)

        monkeypatch.setattr(os, "open", refusing)
    with pytest.raises(BadSamplesError) as caught:
        folder.extract()
    assert len(caught.value.problems) == folder.made.of_file
    name = getattr(folder.made, which)
    for line in caught.value.problems:
        assert f"{name}: may not be read by this user" in line


def grown(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def other(path: Path) -> None:
    """Of the same bytes and time."""
    content, found = path.read_bytes(), path.stat()
    aside = path.with_name("aside")
    aside.write_bytes(content)
    os.utime(aside, ns=(found.st_atime_ns, found.st_mtime_ns))
    aside.replace(path)


def touched(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def beside(path: Path) -> None:
    path.with_name("new").touch()


def folder_gone(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))


CHANGES = [grown, cut, other, touched, Path.unlink, pipe, link, beside, folder_gone]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("when", ["before it is read", "after it was read"])
def test_a_folder_that_changes_while_it_is_read_is_refused(
    folder: Laid, change: Callable[[Path], None], when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.extract()
    before = folder.outputs()
    read = Tree.read

    def changing(tree: Tree, member: int) -> bytes:
        if tree.name(member) != folder.made.lidar:
            return read(tree, member)
        if when == "before it is read":
            monkeypatch.undo()
            change(folder.path / folder.made.lidar)
        try:
            return read(tree, member)
        finally:
            if when == "after it was read":
                monkeypatch.undo()
                change(folder.path / folder.made.lidar)

    monkeypatch.setattr(Tree, "read", changing)
    with pytest.raises(ArchiveError) as caught:
        folder.extract(on_bad_sample="skip")
    assert str(caught.value) == (
        f"{folder.path}: changed while it was read; run again when it is complete"
    )
    assert folder.outputs() == before


def test_values_without_return_are_refused_of_points(made: MadeUp, tmp_path: Path) -> None:
    """Extraction would not look at them."""
    laid = Laid(tmp_path, made, "folder")
    with pytest.raises(ArchiveError, match=r"lidar\.no_return = \['zero'\]: must be \[\]"):
        laid.extract(format="points", axes=["-y", "x", "z"], step=None, no_return=["zero"])
