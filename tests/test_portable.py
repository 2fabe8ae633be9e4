"""Portable mode end to end, and threads: what the environment says changes no bit."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests import golden
from tests.golden import ENOUGH, Golden, judge

from fusebench.config import validate
from fusebench.files import read_json, write_json
from fusebench.params import Params
from fusebench.processor import PORTABLE_ENVIRONMENT, lacking_for_portable

FUSIONS = ("concat", "late")

Run = tuple[Path, subprocess.Popen[str]]


@pytest.fixture(scope="module")
def start(
    samples_folder: Path,
    manifest_file: Path,
    params_text: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Run]:
    """Begin the golden training in a new project; keywords: changes of runtime, the shell's."""

    def begin(shell: dict[str, str], **runtime: object) -> Run:
        if runtime.get("portable") and lacking_for_portable():
            pytest.skip("portable mode needs AVX2 and FMA")
        root = tmp_path_factory.mktemp("portable")
        content = yaml.safe_load(params_text)
        content["train"] |= {"seeds": [0], "epochs": 1, "batch_size": 16}
        content["runtime"] |= {"progress": "off"} | runtime
        (root / "params.yaml").write_text(yaml.safe_dump(content), "utf-8")
        (root / "dvc.yaml").write_text("stages: {train: {deps: []}}\n", "utf-8")
        for name, settings in validate(Params, content, "params.yaml").checked_files().items():
            write_json(root / "checked" / name, settings)
        shutil.copytree(samples_folder, root / "data/samples")
        shutil.copy(manifest_file, root / "data/split.csv")
        ours = ("OMP_", "MKL_", *PORTABLE_ENVIRONMENT)
        kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        path = f"{golden.ROOT / 'src'}{os.pathsep}{golden.ROOT}"
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.golden", *FUSIONS],
            cwd=root, env=kept | {"PYTHONPATH": path} | shell, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        return root, process

    return begin


def finished(run: Run) -> Golden:
    output, errors = run[1].communicate(timeout=300)
    assert run[1].returncode == 0, errors
    return Golden(**json.loads(output.splitlines()[-1]))


@pytest.fixture(scope="module")
def portable(start: Callable[..., Run]) -> tuple[Path, Golden]:
    """The root and result of the training in portable mode."""
    run = start({}, portable=True)
    return run[0], finished(run)


def test_portable_training_is_that_of_other_processors(
    portable: tuple[Path, Golden], record_property: Callable[[str, object], None]
) -> None:
    _, seen = portable
    outcome, why = judge(golden.read(), seen)
    if outcome != "confirmed":
        record_property("golden", golden.line(seen, why))
    assert outcome != "failed", golden.line(seen, why)


def test_portable_mode_is_recorded(portable: tuple[Path, Golden]) -> None:
    for fusion in FUSIONS:
        recorded = read_json(portable[0] / f"metrics/training/{fusion}.json")["environment"]
        assert (recorded["portable"], recorded["threads"]) == (True, 2)
        assert recorded["precision"] == "fp32"


@pytest.mark.thorough
@pytest.mark.parametrize("portable", [True, False])
def test_omp_num_threads_changes_no_bit_where_threads_is_a_number(
    portable: bool, start: Callable[..., Run]
) -> None:
    runs = [start(shell, threads=2, portable=portable) for shell in ({}, {"OMP_NUM_THREADS": "1"})]
    first, second = map(finished, runs)
    assert first == second


# --- The rule ---


def entries(*kinds: str, digest: str = "a", versions: str = "1") -> list[Golden]:
    return [Golden(kind, versions, digest) for kind in kinds]


def test_a_known_kind_with_its_digest_is_confirmed() -> None:
    assert judge(entries("zen"), Golden("zen", "1", "a")) == ("confirmed", "")


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_a_new_kind_with_the_digest_of_others_is_to_add(count: int) -> None:
    outcome, why = judge(entries(*map(str, range(count))), Golden("zen", "1", "a"))
    assert outcome == "to add"
    assert why == f"a new kind of processor with the bits of {count} other(s)"


@pytest.mark.parametrize("kind", ["0", "zen"])
@pytest.mark.parametrize(("count", "outcome"), [(1, "to look at"), (2, "to look at"),
                                                (3, "failed"), (4, "failed")])  # fmt: skip
def test_another_digest_fails_from_three_kinds_on(kind: str, count: int, outcome: str) -> None:
    assert judge(entries(*map(str, range(count))), Golden(kind, "1", "b"))[0] == outcome


def test_a_kind_that_is_listed_twice_counts_once() -> None:
    assert judge(entries("x", "x", "x"), Golden("zen", "1", "b"))[0] == "to look at"


def test_other_versions_say_nothing_of_these() -> None:
    known = entries("x", "y", "z")
    assert judge(known, Golden("x", "2", "b")) == ("to add", "no entry has these versions")
    assert judge([], Golden("x", "2", "b"))[0] == "to add"


def test_a_claim_that_entries_contradict_fails_nobody() -> None:
    known = [*entries("x", "y", "z"), *entries("w", digest="b")]
    assert judge(known, Golden("v", "1", "c"))[0] == "to look at"
    assert judge(known, Golden("x", "1", "a"))[0] == "to look at"


@given(st.lists(st.builds(Golden, *[st.sampled_from("abc")] * 3)),
       st.builds(Golden, *[st.sampled_from("abc")] * 3))  # fmt: skip
def test_a_failure_needs_three_kinds_that_agree_and_contradict(
    known: list[Golden], seen: Golden
) -> None:
    alike = [entry for entry in known if entry.versions == seen.versions]
    agreed = {entry.digest for entry in alike}
    outcome, why = judge(known, seen)
    kinds = {entry.kind for entry in alike}
    fails = len(agreed) == 1 and seen.digest not in agreed and len(kinds) >= ENOUGH
    assert (outcome == "failed") is fails
    assert bool(why) is (outcome != "confirmed")


def test_the_line_can_be_pasted(tmp_path: Path) -> None:
    result = Golden("zen", "1", "a")
    text = golden.line(result, "because")
    assert text.startswith("because; ")
    path = tmp_path / "golden.json"
    path.write_text(f"[{text[text.index('{') :]}]", "utf-8")
    assert golden.read(path) == [result]


def test_kept_entries_are_one_per_kind_and_versions() -> None:
    kept = [(entry.kind, entry.versions) for entry in golden.read()]
    assert len(set(kept)) == len(kept) > 0
