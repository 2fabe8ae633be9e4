"""A sealed file is as it was written, or it is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusebench.config import Section
from fusebench.errors import ArtifactError
from fusebench.sealed import (
    check_file,
    check_names,
    checked,
    file_digest,
    read_sealed,
    write_sealed,
)

CONTENT: dict[str, Any] = {"schema": 3, "rate": 1e-05, "names": ["a", "ü", "\u2028"], "none": None}
OLDER = "version {}, 3 is read"

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sealed") / "file.json"


def refusal(path: Path) -> str:
    with pytest.raises(ArtifactError) as caught:
        read_sealed(path, 3, OLDER)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


@given(content=st.dictionaries(st.text("xyz", min_size=1), values, max_size=4))
def test_what_was_written_is_read_and_stays_json(path: Path, content: dict[str, Any]) -> None:
    write_sealed(path, {"schema": 3, **content})
    assert read_sealed(path, 3, OLDER) == content
    assert json.loads(path.read_text("utf-8")).keys() == {"schema", "digest", *content}


@given(place=st.integers(0), bit=st.integers(0, 7))
def test_no_flipped_bit_passes(path: Path, place: int, bit: int) -> None:
    write_sealed(path, CONTENT)
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 1 << bit
    path.write_bytes(content)
    refusal(path)


@given(length=st.integers(0))
def test_no_part_of_it_passes(path: Path, length: int) -> None:
    write_sealed(path, CONTENT)
    content = path.read_bytes()
    path.write_bytes(content[: length % len(content)])
    refusal(path)


@pytest.mark.parametrize("text", ["NaN", "1e999", '"\\ud800"', "[" * 100_000])
def test_what_is_never_written_is_refused(path: Path, text: str) -> None:
    path.write_text(f'{{"schema": 3, "rate": {text}, "digest": "ab"}}', "utf-8")
    refusal(path)


def test_another_version_is_told_from_damage(path: Path) -> None:
    write_sealed(path, CONTENT | {"schema": 4})
    assert refusal(path) == f"{path}: version 4, 3 is read"
    path.write_text('{"names": []}', "utf-8")
    assert refusal(path) == f"{path}: version 1, 3 is read"
    path.write_text('{"schema": 3, "names": []}', "utf-8")
    assert refusal(path) == f"{path}: key 'digest' is missing; 'make mend' repairs it"


class _Rate(Section):
    rate: float


def test_a_value_that_is_not_allowed_is_of_the_file_not_of_params(path: Path) -> None:
    assert checked(_Rate, {"rate": 1}, path).rate == 1
    with pytest.raises(ArtifactError) as caught:
        checked(_Rate, {"rate": "high"}, path)
    assert str(caught.value) == (
        f"{path}: rate = 'high': must be a valid number; 'make mend' repairs it"
    )


def test_files_are_those_that_were_recorded(tmp_path: Path) -> None:
    file, record = tmp_path / "seed_1", tmp_path / "info.json"
    file.write_text("one", "utf-8")
    digest = file_digest(file)
    check_file(file, digest, record)
    check_names(tmp_path, "seed_*", ["seed_1"], "info.json")
    with pytest.raises(ArtifactError, match=r"seed_1: info\.json does not name it"):
        check_names(tmp_path, "seed_*", [], "info.json")
    file.write_text("two", "utf-8")
    with pytest.raises(ArtifactError, match=r"seed_1: is not the file that .*info\.json was"):
        check_file(file, digest, record)
    file.unlink()
    with pytest.raises(ArtifactError, match="seed_1: no such file; 'dvc repro' makes it"):
        check_file(file, digest, record)
    with pytest.raises(ArtifactError, match="seed_1: no such file; 'dvc repro' makes it"):
        check_names(tmp_path, "seed_*", ["seed_1"], "info.json")
