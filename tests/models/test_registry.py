"""Fusions are found by their files; params name them."""

import re

import pytest
from tests.project import ROOT

from fusebench.config import load_keys, validate
from fusebench.errors import ParamsError
from fusebench.models.base import Fusion, ModelSpec, build, fusion_class
from fusebench.models.registry import FUSIONS, FusionParams

NAMES = FUSIONS.names()


@pytest.mark.parametrize("name", NAMES)
def test_registry_gives_and_builds_the_class_of_a_name(name: str) -> None:
    fusion = fusion_class(name)
    assert issubclass(fusion, Fusion)
    assert fusion.strategy
    assert isinstance(build(ModelSpec(name, 2, (16, 16), "max", "fp32")), fusion)


def test_the_zoo_is_every_fusion_and_begins_with_those_of_the_default_params() -> None:
    (zoo,) = re.findall(r"^ZOO = (\S+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    listed = zoo.split(",")
    assert sorted(listed) == NAMES
    first = load_keys(ROOT / "tests/default_params.yaml", FusionParams).fusions
    assert tuple(listed[: len(first)]) == first


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"fusions": ["lat"]}, "params.yaml: fusions: 'lat' is no fusion (did you mean 'late'?)"),
        ({"fusions": ["add", "add"]}, "params.yaml: fusions: ['add', 'add']: each fusion may"),
        ({"fusion": "late"}, "params.yaml: fusion = 'late': must be one of fusions: add"),
        ({"strategies": ["add"]}, "params.yaml: unknown key 'strategies'; did you mean 'fusions'?"),
    ],
)  # fmt: skip
def test_params_that_name_no_fusion_are_refused(keys: dict[str, object], line: str) -> None:
    with pytest.raises(ParamsError) as caught:
        validate(FusionParams, {"fusion": "add", "fusions": ["add"], **keys},
                 "params.yaml")  # fmt: skip
    assert str(caught.value).startswith(line)
    assert len(str(caught.value).splitlines()) == 1
