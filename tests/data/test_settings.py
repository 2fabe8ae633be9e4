"""What section `data` may hold: paths that DVC leaves as they are, folders' names, limits."""

from typing import Any

import pytest
from pydantic import ValidationError
from tests.data.archives import LIMITS, params

from fusebench.data.settings import same_name

# Each was tried as `data.archive` of a real project: DVC takes it as it is, in deps and matrix.
ALLOWED = [
    "$(touch pwned).zip", "`touch pwned`.zip", 'a"; touch pwned; ".zip', "a'b.zip", "a b.zip",
    "-x.zip", "ü.zip", "u\u0308.zip", "日本.zip", "$x.zip", "{a}.zip", "a:b.zip", "C:\\x.zip",
    "../out.zip", "~/x.zip", "*.zip", "#a.zip", "a|b&c.zip", "%s.zip", "/data/x.zip", "dvc.yaml:x",
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
