"""What is shown of made-up results, and a revision of made-up predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fusebench.report.findings import Findings


@pytest.fixture(scope="session")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """What a comparison of two fusions is made to have found."""
    from tests.report.made_up import NAMES, PAIR, findings_of, write_results

    from fusebench.report.results import read_comparison

    root = write_results(tmp_path_factory.mktemp("results"))
    return findings_of(read_comparison(root, NAMES), PAIR)
