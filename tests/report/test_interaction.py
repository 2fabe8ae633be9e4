"""What the data are like: whose answers tell it, what cannot be told, and the exact words."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.report.made_up import PAIR, findings_of, told
from tests.report.sensors import BOTH, LIDAR, RGB, SHAPE, Model, changed, comparison_of
from tests.report.test_suite import ROW

from fusebench.errors import ArtifactError
from fusebench.files import json_text
from fusebench.report import interaction as module
from fusebench.report.findings import Findings
from fusebench.report.interaction import (
    INTERACTION,
    KINDS,
    Interaction,
    interaction_of,
    parse_interaction,
    read_interaction,
)
from fusebench.report.interaction_text import interaction_sentences
from fusebench.report.results import Comparison
from fusebench.statistics import shares
from fusebench.statistics.decomposition import Programme, UnsolvedError
from fusebench.synthetic.task import TASKS, task_of

GUESS = (0.0, 0.0)
# One sensor tells the class, the other nothing; or neither, but both together.
COLOUR = changed(lidar_only=Model(LIDAR, GUESS), threshold=None)
RANGE = changed(rgb_only=Model(RGB, GUESS))
XOR = changed(rgb_only=Model(RGB, GUESS), lidar_only=Model(LIDAR, GUESS), threshold=None)
CHANCE = XOR | {"add": Model(BOTH, GUESS)}


@pytest.fixture(autouse=True)
def fewer_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save time: what is tested does not rest on the last digit."""
    monkeypatch.setattr(shares, "RESAMPLES", 40)


def test_each_kind_has_the_tasks_that_say_so_of_themselves() -> None:
    """Report does not depend on the tasks: a new one must be named there, too."""
    named = {task: kind for kind, tasks in KINDS.items() for task in tasks}
    assert named == {task: task_of(task).interaction for task in TASKS.names()}


@pytest.mark.parametrize(
    ("models", "kind", "words"),
    [
        (SHAPE, "redundant", "Your data look like `shape` (redundant): of the class's 1 bit, 0."),
        (COLOUR, "unique to RGB", "Your data look like `colour` (unique to RGB): "),
        (RANGE, "unique to LiDAR", "Your data look like `range` (unique to LiDAR): "),
        (XOR, "synergistic",
         "Your data look like `xor`, `nearest` or `match` (synergistic; which of them cannot be "
         "told so): "),
    ],
)  # fmt: skip
def test_data_of_one_kind_look_like_its_tasks(
    models: dict[str, Model], kind: str, words: str
) -> None:
    found = interaction_of(comparison_of(models), [ROW])
    assert found.kind == kind
    assert found.bits[kind].bits > 0.75
    assert sum(found.bits[other].bits for other in KINDS if other != kind) < 0.2
    first, second, last = interaction_sentences(found)
    assert first.startswith(words)
    assert second.startswith("That is what three models answer on test, each the best by val NLL")
    about = "On task shape" if kind == "redundant" else f"Of fusions on task {KINDS[kind][0]}"
    assert about in last


def test_a_mixture_looks_like_none_and_is_told() -> None:
    models = changed(
        rgb_only=Model(RGB, (0.75, 0.7)), lidar_only=Model(LIDAR, (0.7, 0.75)),
        add=Model(BOTH, (0.9, 0.85)),
    )  # fmt: skip
    found = interaction_of(comparison_of(models), [ROW])
    assert (found.kind, found.tasks) == ("", ())
    first, _, last = interaction_sentences(found)
    assert first.startswith(
        "Your data look like none of the demonstration tasks (no share is shown above half): of "
        "the class's 1 bit, "
    )
    assert last == "So what fusions did on these tasks is no advice for such data."


def test_the_model_is_chosen_on_val_and_never_on_test() -> None:
    models = changed(
        rgb_only=Model(RGB, (0.9, 0.99), on_test=(0.99, 0.6)),
        lidar_only=Model(LIDAR, (0.99, 0.0)),
        add=Model(BOTH, (0.0, 0.97)), late=Model(BOTH, (0.98, 0.96)),
    )  # fmt: skip
    found = interaction_of(comparison_of(models))
    chosen = {seen: (source.model, source.seed) for seen, source in found.models.items()}
    assert chosen == {
        "RGB alone": ("rgb_only", 1), "LiDAR alone": ("lidar_only", 0), "both": ("late", 0),
    }  # fmt: skip
    assert found.information["RGB alone"].bits < 0.5


def test_the_threshold_stands_for_lidar_where_it_is_better_on_val() -> None:
    models = changed(threshold=Model(LIDAR, (0.98, 0.999), trained=False))
    found = interaction_of(comparison_of(models))
    assert (found.models["LiDAR alone"].model, found.models["LiDAR alone"].seed) == (
        "threshold", 1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("models", "reason"),
    [
        (changed(rgb_only=None), "no fusion among these sees RGB alone"),
        (changed(lidar_only=None), "no fusion among these sees LiDAR alone"),
        (changed(add=None), "no fusion among these sees both"),
        (CHANCE, "no model is shown to tell anything of the class on test"),
    ],
)
def test_what_cannot_be_told_is_said_in_one_line(models: dict[str, Model], reason: str) -> None:
    found = interaction_of(comparison_of(models), [ROW])
    assert found.not_estimated == reason
    assert found.advice == ""
    assert interaction_sentences(found) == [f"What your data are like was not estimated: {reason}."]


def test_too_many_classes_or_too_few_samples_are_not_guessed_at() -> None:
    many = interaction_of(comparison_of(SHAPE, classes=11))
    assert many.not_estimated == "11 classes; it is made for 10 at most"
    few = interaction_of(comparison_of(SHAPE, rare=9))
    assert few.not_estimated == "9 test samples of spheres; 10 of each class are needed"
    assert not interaction_of(comparison_of(SHAPE, rare=10)).not_estimated
    assert (many.bits, few.bits) == ({}, {})


def test_test_parts_that_differ_between_seeds_are_refused() -> None:
    comparison = comparison_of(changed(add=Model(BOTH, (0.5, 0.99))))
    part = comparison.results[0].predictions.seeds[1]["test"]
    part.digests[0] = "another"
    assert interaction_of(comparison).not_estimated == "the test samples of the seeds differ"


def test_a_programme_without_a_solution_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise UnsolvedError("the convex programme has no solution (unbounded)")

    monkeypatch.setattr(Programme, "decompose", fail)
    found = interaction_of(comparison_of(SHAPE))
    assert interaction_sentences(found) == [
        "What your data are like was not estimated: the convex programme has no solution "
        "(unbounded)."
    ]


def test_one_seed_is_enough_and_said() -> None:
    models = {
        name: Model(of.inputs, of.right[:1], trained=of.trained) for name, of in SHAPE.items()
    }
    found = interaction_of(comparison_of(models, seeds=1))
    assert found.kind == "redundant"
    assert (
        "(seed 0; both); there is one seed to choose from. What"
        in (interaction_sentences(found)[1])
    )


def test_more_classes_have_more_bits() -> None:
    found = interaction_of(comparison_of(SHAPE, classes=4))
    assert found.class_bits == 2
    assert found.kind == "redundant"
    assert 1.6 < found.bits["redundant"].bits <= 2
    assert "of the class's 2 bits, 1." in interaction_sentences(found)[0]


def test_shares_in_training_are_those_that_the_loss_had() -> None:
    counts = {"train_counts": {"0": {"cubes": 90, "spheres": 10}}, "classes": ["cubes", "spheres"]}
    assert module._shares(counts, 0).tolist() == [0.9, 0.1]
    balanced = counts | {"settings": {"class_weights": "balanced"}}
    assert module._shares(balanced, 0).tolist() == [0.5, 0.5]
    without = counts | {"train_counts": {"0": {"cubes": 9, "spheres": 0}}}
    assert module._shares(without, 0).tolist() == [0.9, 0.1]


# --- Words ---


RESTS_ON = (
    "That is what three models answer on test, each the best by val NLL of those that see the "
    "same: rgb_only (seed 3; RGB alone), threshold (seed 0; LiDAR alone) and concat (seed 7; "
    "both). What a model of one sensor missed counts as the other's alone or as only together, "
    "what all missed as nothing."
)


def test_the_words_are_those_of_the_numbers() -> None:
    assert interaction_sentences(told(0.97, 0.0, 0.01, 0.004, advice="Take any.")) == [
        "Your data look like `shape` (redundant): of the class's 1 bit, 0.97 in both sensors "
        "(95 % interval 0.92 to 1.00), 0.00 only in RGB, 0.01 only in LiDAR, at least 0.00 only "
        "together.",
        RESTS_ON,
        "Take any.",
    ]
    (first, second) = interaction_sentences(told(0.05, 0.0, 0.1, 0.8))
    assert first.endswith(
        "0.05 in both sensors, 0.00 only in RGB, 0.10 only in LiDAR, at least 0.80 only together "
        "(95 % interval 0.75 to 0.85)."
    )
    assert second == RESTS_ON


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        ((0.56, 0.2, 0.1, 0.0), "`shape` (redundant)"),
        ((0.54, 0.2, 0.1, 0.0), "none of"),
        ((0.2, 0.56, 0.1, 0.0), "`colour` (unique to RGB)"),
        ((0.2, 0.1, 0.56, 0.0), "`range` (unique to LiDAR)"),
        ((0.1, 0.2, 0.0, 0.56), "`xor`, `nearest` or `match` (synergistic"),
        ((0.1, 0.2, 0.0, 0.54), "none of"),
    ],
)
def test_data_look_like_a_kind_only_if_more_than_half_is_shown_to_be(
    bits: tuple[float, ...], words: str
) -> None:
    assert interaction_sentences(told(*bits))[0].startswith(f"Your data look like {words}")


def test_of_an_earlier_commit_nothing_is_said() -> None:
    assert interaction_sentences(None) == []


# --- metrics/interaction.json ---


def test_what_is_written_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for found in (told(0.97, 0.0, 0.01, 0.0), told(0.4, 0.3, 0.2, 0.1, advice="None.")):
        found.write()
        assert read_interaction(Path.read_bytes) == found
        content = json.loads(INTERACTION.read_text("utf-8"))
        assert content["looks_like"] == {"kind": found.kind, "tasks": list(found.tasks)}
        assert list(content["bits"]) == list(KINDS)
    refused = Interaction(results="1dd7573", seeds=1, class_bits=1.0, not_estimated="why")
    refused.write()
    assert read_interaction(Path.read_bytes) == refused


def test_a_commit_without_the_file_is_no_error() -> None:
    def gone(path: Path) -> bytes:
        raise ArtifactError(f"{path}: not in 'HEAD~9'")

    assert read_interaction(gone) is None
    assert read_interaction(lambda path: Path("nowhere", path.name).read_bytes()) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda content: content.pop("results"), "key 'results' is missing"),
        (lambda content: content.update(seeds=0), "seeds = 0: must be"),
        (lambda content: content["bits"]["redundant"].update(low=-1.0), "redundant.low = -1.0"),
        (lambda content: content["bits"].pop("synergistic"), "lacks amounts or models"),
        (lambda content: content["models"].clear(), "lacks amounts or models"),
    ],
)
def test_a_broken_file_is_refused_in_one_line(change: Any, reason: str) -> None:
    content = told(0.97, 0.0, 0.01, 0.0).model_dump()
    change(content)
    with pytest.raises(ArtifactError) as caught:
        parse_interaction(json_text(content).encode())
    assert str(caught.value).startswith(f"{INTERACTION}: ")
    assert reason in str(caught.value)
    with pytest.raises(ArtifactError, match="not valid JSON"):
        parse_interaction(b"{")


def _kept(comparison: Comparison, found: Interaction | None) -> Findings:
    """Return the findings that a commit holds which has such a file, or none."""
    findings = findings_of(comparison, PAIR)
    texts = {
        "comparison.csv": findings.table.to_csv(index=False),
        "pairs.csv": findings.pairs.to_csv(index=False),
        "best.csv": findings.best.to_csv(index=False),
    }
    if found:
        texts[INTERACTION.name] = json_text(found.model_dump())

    def read(path: Path) -> bytes:
        if path.name not in texts:
            raise ArtifactError(f"{path}: not in 'HEAD'")
        return str(texts[path.name]).encode()

    return Findings.read(read)


def test_remarks_end_with_what_the_data_are_like(comparison: Comparison) -> None:
    found = told(0.97, 0.0, 0.01, 0.0, results=comparison.fingerprint)
    without, kept = _kept(comparison, None), _kept(comparison, found)
    assert without.interaction is None
    assert kept.remarks == [*without.remarks, *interaction_sentences(found)]
    assert kept.answer == without.answer


def test_what_was_found_of_other_results_is_not_said(comparison: Comparison) -> None:
    assert _kept(comparison, told(0.97, 0.0, 0.01, 0.0)).interaction is None


def test_amounts_do_not_depend_on_the_order_of_the_fusions() -> None:
    models = changed()
    one = interaction_of(comparison_of(models))
    other = interaction_of(comparison_of(dict(reversed(models.items()))))
    assert one.bits == other.bits
    assert one.models == other.models
    assert np.isclose(
        one.bits["redundant"].bits + one.bits["unique to RGB"].bits,
        one.information["RGB alone"].bits,
        atol=0.02,
    )
