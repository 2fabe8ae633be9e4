"""The scripts and their licence, as the page of `dvc plots` holds them."""

from pathlib import Path

import pytest
from tests.project import ROOT

from fusebench.errors import ArtifactError
from fusebench.page.scripts import LIBRARIES, PLOTS_PAGE, parse_scripts, read_scripts

TEXT = (ROOT / PLOTS_PAGE).read_text("utf-8")


def test_each_library_is_found_whole_and_in_the_order_of_need() -> None:
    sources = read_scripts(ROOT).sources
    for name, source in zip(LIBRARIES, sources, strict=True):
        assert source.startswith(f"/* {name} ")
        # As it is, between its element's tags.
        assert source in TEXT
        assert "sourceMappingURL" not in source
        assert "</script" not in source.lower()


def test_the_licence_names_versions_holder_and_terms() -> None:
    licence = read_scripts(ROOT).licence
    versions = [source.partition("*/")[0].split()[2] for source in read_scripts(ROOT).sources]
    for word in (*versions, *LIBRARIES, "Copyright (c)", "Redistribution and use", "AS IS"):
        assert word in licence
    assert licence.startswith("the published builds of vega")


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_library_that_is_missing_is_named(name: str) -> None:
    with pytest.raises(ArtifactError, match=f"page.html: holds no script of {name}; 'git restore"):
        parse_scripts(TEXT.replace(f"<script>/* {name} ", "<script>/* other "))


def test_a_licence_that_is_missing_is_an_error() -> None:
    with pytest.raises(ArtifactError, match="holds no licence"):
        parse_scripts(TEXT.replace("Copyright (c)", ""))


def test_a_page_that_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"^\.dvc/plots/page\.html: no such file; 'git restore"):
        read_scripts(tmp_path)
    path = tmp_path / PLOTS_PAGE
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xff")
    with pytest.raises(ArtifactError, match=r"^\.dvc/plots/page\.html: broken"):
        read_scripts(tmp_path)
