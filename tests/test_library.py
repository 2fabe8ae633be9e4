"""`import fusebench`: what it offers, what it costs, and that all of it is documented and typed."""

import ast
import gc
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import FunctionType
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import psutil
import pytest
from tests.environments import OFFLINE, run
from tests.project import FUSIONS, ROOT, Project, environment

import fusebench
from fusebench.api import answers as answering
from fusebench.api.tables import comparison_rows, cost_rows, robustness_rows
from fusebench.data.depth import decode_depth
from fusebench.errors import ArchiveError, ArtifactError, BadSamplesError, ParamsError
from fusebench.evaluation.metrics import METRICS
from fusebench.files import read_table
from fusebench.models.description import Description
from fusebench.prediction.predictions import BASELINES
from fusebench.report.drawing import styled
from fusebench.report.findings import Findings
from fusebench.report.pairs import PAIR_KINDS
from fusebench.report.robustness_files import SUMMARY_KINDS
from fusebench.samples.samples import Samples, open_samples

PAGE = (ROOT / "docs/library.md").read_text("utf-8")
HEAVY = ("torch", "pandas", "numpy", "matplotlib", "pydantic", "dvc")

# Type checkers need not follow them to what is asked here; it would take a minute.
OTHERS = ("numpy", "pandas", "matplotlib", "torch", "scipy", "sklearn", "PIL", "pydantic", "dvc")


@pytest.fixture(autouse=True)
def _no_figures_are_left() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def results(reproduced: tuple[Project, str]) -> fusebench.Results:
    """What the small project found."""
    project, _ = reproduced
    project.restore()
    return fusebench.load_results(project.root)


def test_importing_it_imports_nothing_heavy() -> None:
    code = f"import sys, fusebench; print(*[name for name in {HEAVY} if name in sys.modules])"
    kept = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    assert run(sys.executable, "-c", code, cwd=ROOT, environment=kept) == "\n"


def test_asking_for_results_imports_no_torch() -> None:
    code = "import sys, fusebench; fusebench.load_results; print('torch' in sys.modules)"
    kept = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    assert run(sys.executable, "-c", code, cwd=ROOT, environment=kept) == "False\n"


def test_what_is_public_is_what_type_checkers_see_and_what_is_imported() -> None:
    tree = ast.parse((ROOT / "src/fusebench/__init__.py").read_text("utf-8"))
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    seen = [alias.name for node in checked.body for alias in getattr(node, "names", [])]
    assert sorted(seen) == sorted(fusebench.__all__) == dir(fusebench)
    for name in fusebench.__all__:
        assert getattr(fusebench, name).__name__ == name


def test_what_is_not_public_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'load_result'"):
        _ = getattr(fusebench, "load_result")  # noqa: B009


@pytest.mark.parametrize("name", fusebench.__all__)
def test_every_public_name_is_documented_and_annotated(name: str) -> None:
    item = getattr(fusebench, name)
    assert re.search(rf"\b{name}\b", PAGE), f"{name}: not in docs/library.md"
    text = inspect.getdoc(item)
    assert text
    if not isinstance(item, FunctionType):
        return
    signature = inspect.signature(item)
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty, parameter
        assert re.search(rf"^{parameter.name} : ", text, re.M), f"{name}: {parameter.name}"
    assert "\nReturns\n---" in text or "Return" in text.partition("\n")[0]


def test_every_table_of_results_is_documented() -> None:
    text = inspect.getdoc(fusebench.Results) or ""
    tables = [
        name for name, kind in fusebench.Results.__annotations__.items() if kind is pd.DataFrame
    ]
    assert len(tables) == 9
    for name in [*tables, "predictions"]:
        assert f"`{name}`" in PAGE, name
        assert name == "predictions" or re.search(rf"\b{name}\b.* : DataFrame", text), name


@pytest.mark.slow
def test_type_checkers_know_what_it_offers(tmp_path: Path) -> None:
    (tmp_path / "mypy.ini").write_text(
        "[mypy]\nstrict = true\nfollow_imports = silent\n"
        + "".join(
            f"[mypy-{name}.*]\nfollow_imports = skip\nignore_missing_imports = true\n"
            for name in OTHERS
        ),
        "utf-8",
    )
    (tmp_path / "user.py").write_text(
        "import fusebench\n"
        "reveal_type(fusebench.load_results)\n"
        "reveal_type(fusebench.load_results().fusions)\n"
        "reveal_type(fusebench.predict)\n"
        "fusebench.load_result()\n"
        "fusebench.load_results(revision='HEAD')\n",
        "utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-incremental", "user.py"], cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT / "src")}, capture_output=True, text=True,
    )  # fmt: skip
    function, fusions, predict, *errors = done.stdout.splitlines()
    words = r"def \(root: .*PathLike\[.*str\].*, rev: .*None.*\) -> fusebench.api.results.Results"
    assert re.search(words, function), done.stdout
    assert re.search(r'Revealed type is "(builtins\.)?list\[(builtins\.)?str\]"', fusions)
    assert "seeds: " in predict
    assert 'has no attribute "load_result"' in errors[0]
    assert 'Unexpected keyword argument "revision"' in errors[1]


@pytest.mark.slow
def test_a_wheel_holds_the_library_and_no_script(tmp_path: Path) -> None:
    source, ignored = tmp_path / "source", shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", source / "src", ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    run(
        sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", str(tmp_path), ".",
        cwd=source, environment=environment() | OFFLINE,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        archive.extractall(tmp_path / "installed")
    library = {path for path in (source / "src/fusebench").rglob("*") if path.is_file()}
    assert held == {path.relative_to(source / "src").as_posix() for path in library}
    assert "fusebench/py.typed" in held
    # With what its pictures and the page read beside their modules.
    code = (
        "import fusebench; from fusebench.report.drawing import styled; styled().__enter__();"
        "from fusebench.page import page; print(fusebench.__file__)"
    )
    kept = {**environment(), "PYTHONPATH": str(tmp_path / "installed")}
    printed = run(sys.executable, "-c", code, cwd=tmp_path, environment=kept)
    assert printed.strip() == str(tmp_path / "installed/fusebench/__init__.py")


def test_the_examples_of_the_page_run(
    reproduced: tuple[Project, str], results: fusebench.Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, _ = reproduced
    monkeypatch.chdir(project.root)
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    assert len(blocks) == 6
    new = {"image.png": "rgb/0001.png", "ranges.npy": "lidar/0001.npy"}
    names: dict[str, Any] = {}
    try:
        with zipfile.ZipFile("data/demo.zip") as archive:
            for name, ending in new.items():
                member = next(each for each in archive.namelist() if each.endswith(ending))
                Path(name).write_bytes(archive.read(member))
        # DVC warns of what it is made of.
        with warnings.catch_warnings(action="ignore"):
            for block in blocks:
                exec(compile(block, "docs/library.md", "exec"), names)  # noqa: S102
        assert Path("training.pdf").is_file()
    finally:
        project.git("clean", "--force", "--quiet")
    assert names["before"].fingerprint == names["results"].fingerprint == results.fingerprint
    assert len(names["answers"]) == 1


# What load_results returns.


def test_the_comparison_is_what_was_measured(
    reproduced: tuple[Project, str], results: fusebench.Results
) -> None:
    project, _ = reproduced
    assert results.fusions == list(FUSIONS)
    rows = results.comparison.set_index(["fusion", "part", "metric"])
    assert rows.index.is_unique
    assert len(rows) == (len(FUSIONS) + len(BASELINES)) * 2 * len(METRICS)
    for name in (*FUSIONS, *BASELINES):
        measured = project.json(f"metrics/fusions/{name}.json")
        for part in ("test", "val"):
            for metric in METRICS:
                row = rows.loc[(name, part, metric)]
                assert row["mean"] == measured[part][metric]["mean"]
                assert row["deviation"] == measured[part][metric]["deviation"]
                assert row["seeds"] == 2
    assert set(rows.loc[("add", "val")]["at_chance"].isna()) == {True}


def test_chance_is_told_of_test_as_in_the_table(
    reproduced: tuple[Project, str], results: fusebench.Results
) -> None:
    project, _ = reproduced
    table = pd.read_csv(project.root / "metrics/comparison.csv").set_index("Model")
    test = results.comparison.query("part == 'test'").set_index(["fusion", "metric"])
    for name in (*FUSIONS, "threshold"):
        marked = str(table.loc[name, "At Chance"]).split()
        for metric in METRICS:
            row = test.loc[(name, metric)]
            if np.isnan(row["chance"]):
                assert row["at_chance"] is pd.NA
            else:
                column = f"Test {METRICS[metric].heading} Chance"
                assert row["chance"] == table.loc[name, column]
                assert bool(row["at_chance"]) is (metric in marked)
    # It looks at no sample, and so is what others are compared with.
    assert test.loc["majority_class"]["at_chance"].isna().all()


def test_the_seeds_are_those_of_the_metrics(
    reproduced: tuple[Project, str], results: fusebench.Results
) -> None:
    project, _ = reproduced
    rows = results.seeds.set_index(["fusion", "seed", "part", "metric"])
    assert rows.index.is_unique
    for name in (*FUSIONS, *BASELINES):
        for part in ("test", "val"):
            of_seeds = project.json(f"metrics/fusions/{name}.json")[part]["seeds"]
            for seed, figures in of_seeds.items():
                for metric in METRICS:
                    row = rows.loc[(name, int(seed), part, metric)]
                    assert row["value"] == figures[metric]
                    assert row["collapsed"] == (figures["collapsed"] or "")


def test_pairs_and_best_are_those_of_the_files(
    reproduced: tuple[Project, str], results: fusebench.Results
) -> None:
    project, _ = reproduced
    stored = read_table(project.root / "metrics/pairs.csv", PAIR_KINDS)
    assert results.pairs["holm"].tolist() == pytest.approx(stored["holm"].tolist(), nan_ok=True)
    assert list(results.pairs) == list(PAIR_KINDS)
    assert results.best["fusion"].tolist() == sorted(
        FUSIONS, key=lambda name: results.best["fusion"].tolist().index(name)
    )


def test_predictions_give_the_measured_accuracy(results: fusebench.Results) -> None:
    rows = results.predictions
    classes = ["cubes", "spheres"]
    assert np.allclose(rows[[f"p_{name}" for name in classes]].sum(axis=1), 1)
    odds = np.log(rows["p_cubes"] / rows["p_spheres"])
    assert np.allclose(odds, rows["logit_cubes"] - rows["logit_spheres"], atol=1e-4)
    # Here each sample's id is its group.
    assert (rows["group"] == rows["id"]).all()
    rows = rows.assign(right=100.0 * (rows["predicted"] == rows["class"]))
    found = rows.groupby(["fusion", "seed", "part"])["right"].mean().round(6)
    seeds = results.seeds.query("metric == 'accuracy'").set_index(["fusion", "seed", "part"])
    assert found.to_dict() == seeds["value"].to_dict()


def test_cost_training_and_robustness_are_those_of_the_files(
    reproduced: tuple[Project, str], results: fusebench.Results
) -> None:
    project, _ = reproduced
    cost = results.cost.set_index("fusion")
    for name in FUSIONS:
        measured = project.json(f"metrics/cost/{name}.json")
        assert cost.loc[name, "latency_ms"] == measured["latency_ms"]["median"]
        assert cost.loc[name, "step_mb"] == measured["step_mb"]
        assert cost.loc[name, "parameters"] == measured["parameters"]
        stored = pd.read_csv(project.root / f"plots/training/{name}.csv")
        rows = results.training.query("fusion == @name").drop(columns="fusion")
        assert rows.reset_index(drop=True).to_dict() == stored.to_dict()
    assert cost.loc[list(BASELINES), "latency_ms"].isna().all()
    stored = pd.read_csv(project.root / "metrics/robustness.csv")
    assert results.robustness["nll"].tolist() == stored["nll"].tolist()
    assert results.robustness_summary["fusion"].tolist() == list(FUSIONS)
    assert set(results.robustness_pairs["first"]) == {"add"}


def test_the_verdict_is_what_show_says(
    reproduced: tuple[Project, str], results: fusebench.Results
) -> None:
    project, _ = reproduced
    shown = project.run("python", "src/show.py", "verdict").stdout
    assert " ".join(" ".join(results.verdict).split()) == " ".join(shown.split())


def test_a_table_that_is_changed_does_not_change_the_verdict(
    reproduced: tuple[Project, str],
) -> None:
    project, _ = reproduced
    project.restore()
    before, results = (fusebench.load_results(project.root) for _ in range(2))
    for table in (results.pairs, results.best, results.robustness_summary,
                  results.robustness_pairs, results.cost, results.comparison):  # fmt: skip
        for column in [*table]:
            del table[column]
    assert results.verdict == before.verdict


def test_a_folder_is_read_from_anywhere_and_nothing_is_said(
    reproduced: tuple[Project, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, _ = reproduced
    project.restore()
    monkeypatch.chdir(tmp_path)
    # A warning is an error here.
    results = fusebench.load_results(str(project.root))
    assert results.stale == ()
    assert len(results.predictions)
    assert repr(results) == (
        f"<Results {results.fingerprint} of workspace: add, hadamard; 2 seed(s), synthetic samples>"
    )


def test_a_commit_is_read_as_it_was(clean: Project, results: fusebench.Results) -> None:
    clean.set_params({"split.seed": 3})
    (clean.root / "metrics/comparison.csv").write_text("none", "utf-8")
    # Objects of git that lie in packs are read through files that stay open.
    clean.git("repack", "--quiet", "-d")
    with warnings.catch_warnings(action="ignore"):
        found = fusebench.load_results(clean.root, rev="HEAD")
        predictions = found.predictions
    assert (found.rev, found.stale) == ("HEAD", ())
    for name in ("comparison", "seeds", "pairs", "best", "cost", "training", "robustness"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(results, name))
    pd.testing.assert_frame_equal(predictions, results.predictions)
    # On Windows an open file cannot be removed; here Python would warn of it, some time later.
    opened = [file.path for file in psutil.Process().open_files()]
    assert not [path for path in opened if Path(path).is_relative_to(clean.root / ".git")]


def test_stale_results_are_never_shown_without_a_word(clean: Project) -> None:
    clean.set_params({"split.seed": 3})
    with pytest.warns(fusebench.StaleResultsWarning, match=r"split\.seed.*'dvc repro'") as said:
        results = fusebench.load_results(clean.root)
    assert len(said) == 1
    assert said[0].filename == __file__
    assert str(said[0].message) == " ".join(results.stale)
    with pytest.raises(ArtifactError, match=r"^Stale: .*split\.seed"):
        _ = results.verdict
    assert "STALE" in repr(results)
    for plot in (fusebench.plot_comparison, fusebench.plot_pairs, fusebench.plot_training):
        assert "Stale" in plot(results).get_title()


def test_what_cannot_be_told_is_said(clean: Project) -> None:
    (clean.root / "metrics/sources.json").unlink()
    with pytest.warns(fusebench.StaleResultsWarning, match="Cannot tell"):
        results = fusebench.load_results(clean.root)
    # As show.py, which says it and shows the verdict.
    assert results.verdict


def test_where_there_is_no_project_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(fusebench.FusebenchError) as caught:
        fusebench.load_results()
    assert str(caught.value) == "root = '.': no params.yaml; must be the folder of a project"


def test_what_is_missing_or_broken_is_named_with_its_folder(clean: Project) -> None:
    path = clean.root / "metrics/fusions/add.json"
    content = json.loads(path.read_text("utf-8"))
    content["test"]["accuracy"]["mean"] = 99.0
    for text, reason in (
        ("{", "not valid JSON"),
        (json.dumps(content), r"test.accuracy = .*: of its seeds it is"),
        ("", "not valid JSON"),
    ):
        path.write_text(text, "utf-8")
        with pytest.raises(ArtifactError, match=reason) as caught:
            fusebench.load_results(clean.root)
        assert str(caught.value).startswith(f"{clean.root}: metrics/fusions/add.json: ")
    path.unlink()
    with pytest.raises(ArtifactError, match=r"add\.json: no such file; 'dvc repro' makes it"):
        fusebench.load_results(clean.root)


def test_what_is_no_revision_or_has_no_results_is_refused(clean: Project) -> None:
    clean.git("repack", "--quiet", "-d")
    with warnings.catch_warnings(action="always", record=True) as said:
        with pytest.raises(ArtifactError, match="'nonsense' is no git revision"):
            fusebench.load_results(clean.root, rev="nonsense")
        # The first commit of the small project was made before `dvc repro`.
        with pytest.raises(ArtifactError, match=r"metrics/comparison\.csv: not in 'HEAD~1'"):
            fusebench.load_results(clean.root, rev="HEAD~1")
        gc.collect()
    assert not [one for one in said if one.category is ResourceWarning]


def test_earlier_results_lack_what_was_not_measured(results: fusebench.Results) -> None:
    def read(path: Path) -> bytes:
        raise ArtifactError(f"{path}: not in 'v0'")

    findings = Findings(pd.DataFrame(), results.pairs, results.best)
    found = robustness_rows(read, findings)
    assert [len(table) for table in found] == [0, 0, 0]
    assert list(found[0]) == list(results.robustness)
    assert list(found[1]) == list(SUMMARY_KINDS)
    table = pd.DataFrame({"Model": ["add"], "Parameters": [7], "Memory (MB)": [900.0]})
    cost = cost_rows(table).iloc[0]
    # What stands there is the memory of the whole process.
    assert (cost["parameters"], np.isnan(cost["step_mb"])) == (7, True)
    measured = {"mean": 50.0, "deviation": None}
    metrics: dict[str, Any] = {"add": {part: dict.fromkeys(METRICS, measured) | {"seeds": {"0": {}}}
                       for part in ("test", "val")}}  # fmt: skip
    rows = comparison_rows(metrics, table)
    assert rows["deviation"].isna().all()
    assert rows["at_chance"].isna().all()


# Pictures.


def test_the_comparison_shows_means_deviations_and_seeds(results: fusebench.Results) -> None:
    axes = fusebench.plot_comparison(results, "nll", part="val")
    rows = results.comparison.query("part == 'val' and metric == 'nll'")
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels == [name.replace("_", " ") for name in rows["fusion"]]
    dots = [np.asarray(line.get_xdata()) for line in axes.lines if line.get_markersize() == 5.5]
    assert np.concatenate(dots).tolist() == rows["mean"].tolist()
    seeds = [line for line in axes.lines if line.get_markersize() == 3]
    assert [np.asarray(line.get_xdata()).tolist() for line in seeds] == [
        results.seeds.query("fusion == @name and part == 'val' and metric == 'nll'")[
            "value"
        ].tolist()
        for name in rows["fusion"]
    ]
    assert axes.get_title() == "val: NLL (nats)\nlower is better"


def test_by_default_the_comparison_is_of_the_metric_that_decides(
    results: fusebench.Results,
) -> None:
    title = fusebench.plot_comparison(results).get_title()
    assert title.startswith("test: balanced accuracy (%)")
    other = replace(results, pairs=results.pairs.assign(metric="brier"))
    assert fusebench.plot_comparison(other).get_title().startswith("test: Brier score")


def test_pairs_are_drawn_as_in_the_report(results: fusebench.Results) -> None:
    axes = fusebench.plot_pairs(results)
    assert [text.get_text() for text in axes.get_yticklabels()] == ["add − hadamard"]
    assert "2 seed(s) are too few" in axes.get_title()
    dot = next(line for line in axes.lines if line.get_marker() == "o")
    pair = results.pairs.query("role == 'planned'").iloc[0]
    assert np.asarray(dot.get_xdata()).tolist() == [pair["difference"]]


def test_training_is_drawn_of_all_or_of_one(results: fusebench.Results) -> None:
    means = results.training.groupby(["fusion", "epoch"])["val_loss"].mean()
    axes = fusebench.plot_training(results)
    legend = axes.get_legend()
    assert legend
    assert [text.get_text() for text in legend.get_texts()] == list(FUSIONS)
    for line, name in zip(axes.lines, FUSIONS, strict=True):
        assert np.allclose(np.asarray(line.get_ydata(), float), means[name])
    alone = fusebench.plot_training(results, "hadamard")
    (band,) = alone.collections
    assert band.get_alpha() == 0.25
    assert alone.get_title() == "hadamard: val loss"
    assert alone.get_yscale() == axes.get_yscale() == "log"


def test_axes_that_are_given_are_drawn_into(results: fusebench.Results) -> None:
    figure, panels = plt.subplots(1, 3)
    assert fusebench.plot_comparison(results, ax=panels[0]) is panels[0]
    assert fusebench.plot_pairs(results, ax=panels[1]) is panels[1]
    assert fusebench.plot_training(results, ax=panels[2]) is panels[2]
    assert plt.get_fignums() == [figure.number]
    assert all(len(axes.lines) for axes in panels)


def test_a_new_figure_names_the_results(results: fusebench.Results) -> None:
    figure = fusebench.plot_pairs(results).figure
    note = f"synthetic samples, 2 seed(s), results {results.fingerprint}"
    assert note in [text.get_text() for text in figure.texts]


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda results: fusebench.plot_comparison(results, "loss"), "metric = 'loss': must be"),
        (lambda results: fusebench.plot_comparison(results, part="train"), "part = 'train': must"),
        (lambda results: fusebench.plot_training(results, "late"), "must be one of add, hadamard"),
    ],
)
def test_what_is_not_there_is_not_drawn(draw: Any, said: str, results: fusebench.Results) -> None:
    with pytest.raises(ParamsError, match=said):
        draw(results)
    assert not plt.get_fignums()


def test_the_users_settings_of_pictures_stay_as_they_are(results: fusebench.Results) -> None:
    with mpl.rc_context({"font.size": 23, "lines.linewidth": 7, "interactive": True}):
        before = dict(mpl.rcParams)
        axes = fusebench.plot_comparison(results)
        with styled():
            pass
        assert dict(mpl.rcParams) == before
        # And they change nothing in what is drawn.
        assert axes.lines[1].get_linewidth() == 1.8


@pytest.mark.slow
def test_the_modules_of_pictures_leave_matplotlib_as_it_is(tmp_path: Path) -> None:
    code = (
        "import matplotlib as mpl; mpl.use('svg'); mpl.rcParams['font.size'] = 23;"
        "import fusebench; fusebench.plot_pairs;"
        "print(mpl.get_backend(), mpl.rcParams['font.size'])"
    )
    kept = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    assert run(sys.executable, "-c", code, cwd=tmp_path, environment=kept) == "svg 23.0\n"


# Answers for new samples.


@pytest.fixture(scope="module")
def kept(reproduced: tuple[Project, str], results: fusebench.Results) -> Samples:
    """The samples of the small project."""
    assert results.fusions
    return open_samples(reproduced[0].root / "data/samples")


def test_arrays_get_the_answers_that_stage_predict_kept(
    reproduced: tuple[Project, str], results: fusebench.Results, kept: Samples
) -> None:
    rows = results.predictions.query("fusion == 'add' and part == 'test'")
    first = rows.query("seed == 0").merge(kept.table[["id", "class", "row"]], on=["id", "class"])
    places = first["row"].to_numpy()
    found = fusebench.predict(
        reproduced[0].root / "models/add", rgb=kept.rgb[places], lidar=kept.lidar[places],
        calibrated=False,
    )  # fmt: skip
    assert found["id"].tolist() == [str(number) for number in range(len(places))]
    means = rows.groupby(["id", "class"], sort=False)["p_cubes"].mean()
    assert np.allclose(found["p_cubes"], means, atol=2e-6)
    assert not found["calibrated"].any()
    alone = fusebench.predict(
        reproduced[0].root / "models/add", rgb=kept.rgb[places[3]], lidar=kept.lidar[places[3]],
        seeds=[1],
    )  # fmt: skip
    assert alone["calibrated"].all()
    assert alone["spread"].isna().all()


def test_files_and_arrays_get_the_same_answers(
    reproduced: tuple[Project, str], kept: Samples, tmp_path: Path
) -> None:
    models = reproduced[0].root / "models/hadamard"
    (tmp_path / "rgb").mkdir()
    (tmp_path / "lidar").mkdir()
    for row in range(3):
        answering._as_png(tmp_path, f"rgb/{row}", np.asarray(kept.rgb[row]))
        np.save(tmp_path / f"lidar/{row}.npy", kept.lidar[row])
    of_arrays = fusebench.predict(models, rgb=list(kept.rgb[:3]), lidar=list(kept.lidar[:3]))
    pd.testing.assert_frame_equal(fusebench.predict(models, tmp_path), of_arrays)
    one = fusebench.predict(models, [tmp_path / "rgb/1.png", tmp_path / "lidar/1.npy"])
    assert one["id"].tolist() == ["1"]
    assert np.allclose(one["p_cubes"], of_arrays["p_cubes"][1], atol=2e-6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lidar": None}, "arrays of rgb; .*models/add takes rgb and lidar"),
        ({"rgb": None, "lidar": None}, "must be given either files, or arrays"),
        ({"files": "some"}, "must be given either files, or arrays"),
        (
            {"rgb": np.zeros((4, 4, 3))},
            r"rgb\[0\]: shape \(4, 4, 3\), float64; must be \(H, W, 3\)",
        ),
        ({"rgb": [np.zeros((4, 4), np.uint8)]}, r"rgb\[0\]: shape \(4, 4\), uint8"),
        ({"rgb": np.zeros((0, 4, 3), np.uint8)}, r"rgb\[0\]: shape \(0, 4, 3\), uint8; must be"),
        ({"rgb": np.zeros((0, 4, 4, 3), np.uint8)}, "0 of rgb, 1 of lidar; must be as many"),
        (
            {"rgb": np.zeros((4, 4), np.uint8)},
            r"rgb: shape \(4, 4\), uint8; must be an array of 3 or 4 axes, or a list of",
        ),
        (
            {"lidar": np.zeros((1, 1, 4, 4))},
            r"lidar: shape \(1, 1, 4, 4\), float64; must be an array of 2 or 3 axes",
        ),
        ({"rgb": np.uint8(3)}, "rgb: uint8; must be an array of 3 or 4 axes"),
        ({"rgb": "image.png"}, "rgb: str; must be an array of 3 or 4 axes"),
        ({"lidar": 5}, "lidar: int; must be an array of 2 or 3 axes"),
        ({"lidar": [[1.0, 2.0]]}, r"lidar\[0\]: list; must be an array of numpy"),
        ({"rgb": ["image.png"]}, r"rgb\[0\]: str; must be an array of numpy"),
        ({"lidar": np.ma.masked_equal(np.zeros((4, 4)), 0)}, "lidar: a masked array; must be one"),
        ({"lidar": [np.ma.masked_equal(np.zeros((4, 4)), 0)]}, r"lidar\[0\]: a masked array"),
        ({"lidar": [np.zeros(9)]}, r"lidar\[0\]: shape \(9,\), float64; must be two axes"),
        ({"lidar": np.array([["a"]])}, r"lidar\[0\]: shape \(1, 1\), <U1; must be two axes"),
        ({"rgb": np.zeros((2, 4, 4, 3), np.uint8)}, "2 of rgb, 1 of lidar; must be as many"),
        ({"rgb": [], "lidar": []}, "0 of rgb, 0 of lidar; must be as many .* and one at least"),
        ({"seeds": [5]}, "seeds: 5: not in"),
        ({"seeds": 0}, "seeds 0: must be a list of whole numbers"),
        ({"batch_size": 0}, "batch size 0"),
        ({"batch_size": 2.0}, r"batch size 2\.0: must be a whole number, 1 or more"),
    ],
)
def test_arguments_that_are_wrong_are_named(
    change: dict[str, Any], said: str, reproduced: tuple[Project, str], kept: Samples
) -> None:
    given: dict[str, Any] = {"rgb": kept.rgb[0], "lidar": kept.lidar[0]}
    with pytest.raises(ParamsError, match=said):
        fusebench.predict(reproduced[0].root / "models/add", **given | change)


def test_a_bad_array_is_named_by_its_place_or_left_out(
    reproduced: tuple[Project, str], kept: Samples
) -> None:
    models = reproduced[0].root / "models/add"
    spoilt = np.array(kept.lidar[:3])
    spoilt[1, 2, 3] = -1
    with pytest.raises(BadSamplesError) as caught:
        fusebench.predict(models, rgb=kept.rgb[:3], lidar=spoilt)
    head, line = str(caught.value).splitlines()
    assert head == "arrays: 1 bad sample(s); mend them, or leave them out with skip_bad=True"
    assert line == "  lidar/1.npy: range -1; must be 0 or more"
    with pytest.warns(UserWarning, match=r"^left out: lidar/1\.npy: range -1") as said:
        found = fusebench.predict(models, rgb=kept.rgb[:3], lidar=spoilt, skip_bad=True)
    assert said[0].filename == __file__
    assert found["id"].tolist() == ["0", "2"]
    with (
        pytest.warns(UserWarning, match="^left out"),
        pytest.raises(ArchiveError, match=r"^arrays: no sample can be read"),
    ):
        fusebench.predict(models, rgb=kept.rgb[1], lidar=spoilt[1], skip_bad=True)


def test_what_is_to_be_done_with_an_array_is_no_advice_on_files(
    reproduced: tuple[Project, str], kept: Samples
) -> None:
    fine = np.array(kept.lidar[0], np.float64)
    fine[0, 0] = 0.1
    with pytest.raises(BadSamplesError) as caught:
        fusebench.predict(reproduced[0].root / "models/add", rgb=kept.rgb[0], lidar=fine)
    (line,) = caught.value.problems
    assert line.startswith("lidar/0.npy: dtype float64 with values that float32 does not hold")
    assert line.endswith('round them yourself: values.astype("float32")')


def test_models_that_look_angles_up_by_id_take_no_arrays(
    reproduced: tuple[Project, str], kept: Samples, tmp_path: Path
) -> None:
    folder = shutil.copytree(
        reproduced[0].root / "models/add", tmp_path / "add", copy_function=shutil.copyfile
    )
    described = Description.read(folder)
    lidar = described.lidar.model_copy(update={"projection": "notebook"})
    replace(described, lidar=lidar).write(folder)
    with pytest.raises(ParamsError, match="looks angles up by a sample's id"):
        fusebench.predict(folder, rgb=kept.rgb[0], lidar=kept.lidar[0])


def test_a_depth_array_is_written_as_the_picture_that_is_read(tmp_path: Path) -> None:
    (tmp_path / "lidar").mkdir()
    depth = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    name = answering._WRITERS["depth"](tmp_path, "lidar/0", depth)
    read = decode_depth((tmp_path / name).read_bytes(), (3, 4), 0.001)
    assert np.allclose(read, depth * 0.001)
    with pytest.raises(ParamsError, match=r"lidar\[0\]: .* must be \(h, w\), uint16"):
        answering._WRITERS["depth"](tmp_path, "lidar/0", depth.astype(np.float32))
