from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.project import Project

from fusebench.errors import ArtifactError
from fusebench.report.export import KEPT, keep, verdict_head, verdict_page
from fusebench.report.forest import pairs_picture
from fusebench.report.pairs import PAIRS, Pair, primary_pairs, read_pairs
from fusebench.report.verdict import State, baseline_remark, on_screen, state, verdict
from fusebench.samples.samples import read_csv
from fusebench.statistics.estimates import FEWEST_SEEDS

TABLE = Path("metrics/comparison.csv")


@pytest.fixture
def root(reproduced: tuple[Project, str]) -> Path:
    return reproduced[0].root


def reader(root: Path) -> Callable[[Path], bytes]:
    return lambda path: (root / path).read_bytes()


def test_kept_files_are_those_of_the_run_and_the_verdict(root: Path, tmp_path: Path) -> None:
    keep(reader(root), tmp_path / "kept")
    names = {path.name for path in (tmp_path / "kept").iterdir()}
    assert names == {path.name for path in KEPT} | {"verdict.md"}
    for path in KEPT:
        assert (tmp_path / "kept" / path.name).read_bytes() == (root / path).read_bytes()


def test_page_says_what_to_use_then_the_table_then_each_pair(root: Path) -> None:
    table, pairs = read_csv(root / TABLE, ("Model",)), read_pairs(root / PAIRS)
    page = verdict_page(table, pairs)
    assert page.startswith(f"# Verdict\n\n{verdict_head(table, pairs)}\n\n- ")
    assert page.count("\n- ") == len(primary_pairs(pairs))
    for sentence in verdict(pairs):
        assert sentence in page


def test_nothing_is_kept_of_a_comparison_that_lacks_a_file(root: Path, tmp_path: Path) -> None:
    def lacking(path: Path) -> bytes:
        if path == PAIRS:
            raise ArtifactError(f"{path}: not in 'HEAD'")
        return reader(root)(path)

    with pytest.raises(ArtifactError, match=r"pairs\.csv"):
        keep(lacking, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def row(name: str, accuracy: float) -> dict[str, str]:
    return {"Model": name, "Test Balanced Accuracy": str(accuracy)}


def test_a_rule_without_training_above_all_fusions_is_named() -> None:
    rows = [row("late", 80), row("concat", 97.6), row("majority_class", 50), row("threshold", 99.9)]
    assert "has 99.9 % balanced accuracy; the best fusion has 97.6 %" in baseline_remark(rows)
    assert baseline_remark([*rows[:-1], row("threshold", 97.0)]) == ""
    assert baseline_remark(rows[:-1]) == ""


def test_sentences_fit_the_screen_and_lose_no_word() -> None:
    sentences = ["word " * 50, "", "short"]
    lines = on_screen(sentences).splitlines()
    assert max(map(len, lines)) <= 100
    assert " ".join(lines).split() == " ".join(sentences).split()
    assert lines[-1] == "short"


def shown(pair: Pair, difference: float) -> Pair:
    return replace(pair, seeds=max(10, FEWEST_SEEDS), again_holm=0.001, difference=difference)


def test_picture_has_both_intervals_of_each_pair_and_tells_what_is_shown(root: Path) -> None:
    pairs = primary_pairs(read_pairs(root / PAIRS))
    pairs = [shown(pairs[0], difference=5.0), *pairs[1:]]
    assert state(pairs[0]) is State.BETTER
    (axes,) = pairs_picture(pairs).axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == [f"{each.first} − {each.second}".replace("_", " ") for each in pairs]
    thick = [line for line in axes.lines if line.get_linewidth() == 2.6]
    assert [tuple(np.asarray(line.get_xdata())) for line in thick] == [
        (each.again_low, each.again_high) for each in pairs
    ]
    colours = [line.get_color() for line in thick]
    assert colours[0] not in colours[1:]


def test_picture_of_one_fusion_says_so() -> None:
    (axes,) = pairs_picture([]).axes
    assert axes.get_title() == "One fusion: nothing to compare"
