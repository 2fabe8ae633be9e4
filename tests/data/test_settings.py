"""What section `data` may hold: paths that DVC leaves as they are, folders' names, limits."""

from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from tests.data.archives import LIMITS, params
from tests.project import ROOT

from fusebench.data.settings import DEMO, LAYOUTS, same_name

# Each was tried as `data.archive` of a real project: DVC takes it as it is, in deps and matrix.
ALLOWED = [
    "$(touch pwned).zip", "`touch pwned`.zip", 'a"; touch pwned; ".zip', "a'b.zip", "a b.zip",
    "-x.zip", "ü.zip", "u\u0308.zip", "日本.zip", "$x.zip", "{a}.zip", "a:b.zip", "C:\\x.zip",
    "../out.zip", "~/x.zip", "*.zip", "#a.zip", "a|b&c.zip", "%s.zip", "/data/x.zip", "dvc.yaml:x",
    "data/mine", "data/mine/",
]  # fmt: skip


@pytest.mark.parametrize("name", ALLOWED)
@pytest.mark.parametrize("key", ["archive", "sensors"])
def test_a_path_may_hold_what_a_shell_would_run(key: str, name: str) -> None:
    """No shell ever sees it (see test_dvc_yaml.py)."""
    assert getattr(params("some.zip", **{key: name}), key) == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("${data.sensors}.zip", "must not hold '${', which DVC replaces by the value of a key"),
        ("\\${x}", "must not hold '${'"),
        ("https://example.org/x.zip", "must be a file of this machine, not an address"),
        ("s3://bucket/x.zip", "not an address: 'dvc import-url' fetches it"),
        ("remote://store/x.zip", "not an address"),
        ("a\nb.zip", "must be printable, and on one line"),
        ("a\rb.zip", "must be printable"),
        ("a\x1b[2J.zip", "must be printable"),
        ("a\x00.zip", "must be printable"),
        ("a\u2028b.zip", "must be printable"),
        ("a\u202eb.zip", "must be printable"),
        ("\ud800.zip", "should be a valid string"),
        (" a.zip", "must not begin or end with a space"),
        ("a.zip ", "must not begin or end with a space"),
    ],
)
@pytest.mark.parametrize("key", ["archive", "sensors"])
def test_a_path_that_dvc_or_a_screen_would_change_is_refused(
    key: str, name: str, message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        params("some.zip", **{key: name})
    assert message in caught.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "A"], "must be different folder names, not only by case"),
        (["é", "e\u0301"], "must be different folder names"),
        (["a", ".b"], "'.b' must be the name of a folder with samples"),
        (["a", ".."], "'..' must be the name of a folder with samples"),
        (["a", "b\\c"], "must be the name of a folder with samples"),
        (["a", "__MACOSX"], "must be the name of a folder with samples"),
        (["a", "b\r"], "must be printable"),
        (["a", "b" * 256], "must have at most 255 bytes"),
    ],
)
def test_a_class_that_can_have_no_folder_is_refused(names: list[str], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        params("some.zip", classes=names, positive=names[0])
    assert message in caught.value.errors()[0]["msg"]


@pytest.mark.parametrize("name", ["$(touch pwned)", "a b", "-x", "${fusion}", "ü", "CON", "a:b"])
def test_a_class_may_have_any_other_name(name: str) -> None:
    assert params("some.zip", classes=["a", name], positive=name).positive == name


@pytest.mark.parametrize("key", LIMITS)
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "1_000", None, 2**62])
def test_a_limit_must_be_a_number_in_its_range(key: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        params("some.zip", limits=LIMITS | {key: value})
    assert caught.value.errors()[0]["loc"] == ("limits", key)


def test_names_are_the_same_without_regard_to_case_and_accents_way_of_writing() -> None:
    assert same_name("É") == same_name("e\u0301") == "é"
    assert same_name("STRASSE") == same_name("straße")
    assert same_name("a") != same_name("b")


def test_params_at_the_ends_of_their_range_are_allowed() -> None:
    changed = params("some.zip", classes=["a", "b c", "ü"], positive="ü", on_bad_sample="skip")
    assert changed.classes == ("a", "b c", "ü")


def test_the_demonstration_is_named_as_the_pipeline_names_it() -> None:
    """dvc.yaml has the stage that makes it for this text alone."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
    assert stages["synthesize"]["outs"] == [DEMO]
    assert next(iter(stages["synthesize"]["matrix"])) == f"made for {DEMO}"
    assert params(DEMO).archive == DEMO
    for other in ("./data/demo.zip", "data//demo.zip", "data/../data/demo.zip"):
        with pytest.raises(ValueError, match=r"must be written 'data/demo\.zip'"):
            params(other)


# --- Layouts ---


def test_each_layout_may_be_named() -> None:
    for name in LAYOUTS.names():
        manifest = "some.csv" if name == "manifest" else None
        assert params("some.zip", layout=name, manifest=manifest).layout == name


def test_an_unknown_layout_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValidationError) as caught:
        params("some.zip", layout="kiti")
    message = caught.value.errors()[0]["msg"]
    assert (
        f"'kiti' is no layout (did you mean 'kitti'?); must be one of {LAYOUTS.names()}" in message
    )


@pytest.mark.parametrize("name", ["a.csv", "b/c d.Parquet", "./a.CSV", "a//b.csv", "ü/é.csv"])
def test_a_manifest_is_a_path_in_the_archive(name: str) -> None:
    assert params("some.zip", layout="manifest", manifest=name).manifest == name


@pytest.mark.parametrize(
    ("layout", "name", "message"),
    [
        ("manifest", None, "manifest: must name the file where layout is manifest"),
        ("class_folders", "a.csv", "manifest: must be empty where layout is class_folders"),
        ("kitti", "a.csv", "manifest: must be empty where layout is kitti"),
        ("manifest", "a.txt", "manifest = 'a.txt': must end in .csv or .parquet"),
        ("manifest", "", "manifest = '': must end in .csv or .parquet"),
        ("manifest", "../a.csv", "manifest = '../a.csv': must be a path below data.archive, with"),
        ("manifest", "a/../../b.csv", "must be a path below data.archive, with '/'"),
        ("manifest", "/data/a.csv", "must be a path below data.archive, with '/'"),
        ("manifest", "a\\b.csv", "must be a path below data.archive, with '/'"),
        ("manifest", "a\nb.csv", "must be a path below data.archive, with '/'"),
        ("manifest", "a\x00.csv", "must be a path below data.archive, with '/'"),
    ],
)
def test_a_manifest_that_is_none_is_refused(layout: str, name: str | None, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        params("some.zip", layout=layout, manifest=name)
    assert message in caught.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("key", "lowest", "highest"),
    [
        ("min_height", 1, 10_000),
        ("max_occlusion", 0, 3),
        ("max_truncation", 0, 1),
        ("margin", 0, 10),
    ],
)
def test_what_kittis_objects_must_be_has_a_range(key: str, lowest: int, highest: int) -> None:
    kitti = params("some.zip").kitti.model_dump()
    for value in (lowest, highest):
        assert getattr(params("some.zip", kitti=kitti | {key: value}).kitti, key) == value
    for wrong in (lowest - 1, highest + 1, None, "many"):
        with pytest.raises(ValidationError) as caught:
            params("some.zip", kitti=kitti | {key: wrong})
        assert caught.value.errors()[0]["loc"] == ("kitti", key)
