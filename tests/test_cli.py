"""What every script does: help at once, one line and exit code 1 for what the user can mend."""

import errno
import inspect
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import pytest
from tests.project import SENSORS

import check
import show
from fusebench import cli
from fusebench.config import Off, load
from fusebench.errors import ArtifactError, BadSamplesError, FusebenchError, ParamsError
from fusebench.models.registry import FUSIONS
from fusebench.models.settings import NOTEBOOK
from fusebench.params import Params
from fusebench.sealed import file_digest
from fusebench.training.settings import TrainParams, read_settings

SOURCE = Path(cli.__file__).parents[1]
SCRIPTS = sorted(path.name for path in SOURCE.glob("*.py"))
ALLOCATOR = "DefaultCPUAllocator: can't allocate memory: you tried to allocate"


@pytest.fixture(autouse=True)
def signals_as_they_were() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def raising(error: BaseException) -> Callable[[], None]:
    def stage() -> None:
        print("working")
        raise error

    return stage


def outcome(stage: Callable[[], None], capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    """Return the exit code and what stands on stderr."""
    with pytest.raises(SystemExit) as caught:
        cli.run(stage)
    return caught.value.code, capsys.readouterr().err


# --- How a stage ends ---


def test_stage_that_is_done_exits_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(lambda: None, capsys) == (0, "")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ParamsError("params.yaml: train.lr = 0"), "error: params.yaml: train.lr = 0"),
        (FusebenchError("a: 50 % b"), "error: a: 50 % b"),
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "models/x"),
            "error: models/x: No space left on device",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "data"), "error: data: Permission den"),
        (OSError("something odd"), "error: something odd"),
        (KeyboardInterrupt(), "error: interrupted"),
        (MemoryError("Unable to allocate 5 GiB"), "error: out of memory (Unable to allocate 5 GiB"),
        (MemoryError(), "error: out of memory; close other programs"),
        (
            OSError(errno.ENOMEM, "Cannot allocate memory"),
            "error: out of memory ([Errno 12] Cannot",
        ),
        (
            RuntimeError(f"[enforce fail at a.cpp:1] {ALLOCATOR}. Error code 12\nframe #0: x\n"),
            f"error: out of memory ({ALLOCATOR}. Error code 12); close other programs or use",
        ),
        (OSError(errno.ENAMETOOLONG, "File name too long", 1000 * "a\n"), "error: a\\na\\na"),
        (ValueError("embedded null byte"), "error: the name of a file holds a NUL character"),
        (
            UnicodeEncodeError("ascii", "data/ä\n", 5, 6, "ordinal not in range(128)"),
            "error: 'data/\\xe4\\n': no name of a file in this locale; set PYTHONUTF8=1, or",
        ),
    ],
    ids=[
        "params",
        "percent",
        "full disk",
        "permission",
        "other",
        "interrupt",
        "memory",
        "no words",
        "ENOMEM",
        "torch on the processor",
        "long name",
        "NUL",
        "locale",
    ],
)
def test_what_the_user_can_mend_is_one_line(
    error: BaseException,
    line: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.getfilesystemencoding", lambda: "ANSI_X3.4-1968")
    code, shown = outcome(raising(error), capsys)
    assert code == 1
    assert shown.startswith(line)
    assert shown.count("\n") == 1
    assert len(shown) < 500


@pytest.mark.slow
def test_the_processors_memory_is_told_by_torch_in_these_words() -> None:
    import torch

    with pytest.raises(RuntimeError, match=ALLOCATOR):
        torch.empty(10**15)


@pytest.mark.slow
def test_torch_out_of_memory_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB.")
    code, shown = outcome(raising(error), capsys)
    assert code == 1
    assert shown.startswith("error: ")
    assert shown.count("\n") == 1


def test_bad_samples_are_listed_below_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    error = BadSamplesError("a.zip", ["cubes/rgb/1.png: broken", "cubes/lidar/2.npy: NaN"])
    code, shown = outcome(raising(error), capsys)
    assert code == 1
    lines = shown.splitlines()
    assert lines[0].startswith("error: a.zip: 2 bad sample(s)")
    assert lines[1:] == ["  cubes/rgb/1.png: broken", "  cubes/lidar/2.npy: NaN"]


@pytest.mark.parametrize(
    "error",
    [ZeroDivisionError("a bug"), ValueError("a bug"), RuntimeError("a bug"), KeyError("a bug"),
     UnicodeEncodeError("latin-1", "é", 0, 1, "a bug")],
)  # fmt: skip
def test_programming_errors_keep_their_traceback(error: Exception) -> None:
    with pytest.raises(type(error)):
        cli.run(raising(error))


# --- Where the words go ---

WORDS = "Fusion · ± … 😀 \udc80 é"
PRINTS = f"""
import sys
from fusebench import cli
from fusebench.errors import ParamsError
def stage():
    cli.show({WORDS!a})
    if "fail" in sys.argv: raise ParamsError({WORDS!a})
    for number in range(20000 if "much" in sys.argv else 0): print(number)
    if "bug" in sys.argv: raise ValueError({WORDS!a})
cli.run(stage)
"""
C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def ran(shell: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `PRINTS` in a shell, where "$@" is its command line."""
    command = ["sh", "-c", shell, "sh", sys.executable, "-c", PRINTS, *words]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        command, capture_output=True, timeout=60, encoding="utf-8", errors="backslashreplace",
        env=kept | {"PYTHONPATH": str(SOURCE)} | variables,
    )  # fmt: skip


@pytest.mark.parametrize("variables", [{"PYTHONIOENCODING": "ascii"}, C_LOCALE, {}])
def test_any_text_is_shown_whatever_the_encoding(variables: dict[str, str]) -> None:
    done = ran('"$@"', "fail", **variables)
    assert done.returncode == 1
    assert done.stdout == ("Fusion ? ? ? ? ? ?\n" if variables else "Fusion · ± … 😀 ? é\n")
    assert done.stderr.startswith("error: Fusion ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("shell", "words", "code", "stdout", "stderr"),
    [
        ('{ "$@"; echo $? >&2; } | head -1', ["much"], 0, "Fusion · ± … 😀 ? é\n", "1\n"),
        ('{ sleep 0.2; "$@"; echo $? >&2; } | true', ["fail"], 0, "", "1\n"),
        ('"$@" >&-', [], 0, "", ""),
        ('"$@" >&-', ["fail"], 1, "", "error: Fusion"),
        ('"$@" 2>&-', ["fail"], 1, "Fusion", ""),
        ('"$@" > /dev/full', [], 1, "", "error: standard output: No space left on device\n"),
        ('"$@" > /dev/full', ["much"], 1, "", "error: standard output: No space left on device\n"),
        ('"$@" 2> /dev/full', ["fail"], 1, "Fusion", ""),
    ],
)  # fmt: skip
def test_output_that_goes_nowhere_ends_in_no_traceback(
    shell: str, words: list[str], code: int, stdout: str, stderr: str
) -> None:
    done = ran(shell, *words)
    assert done.returncode == code, done.stderr
    assert done.stdout.startswith(stdout)
    assert bool(done.stdout) == bool(stdout)
    assert done.stderr.startswith(stderr)
    assert bool(done.stderr) == bool(stderr)
    assert done.stderr.count("\n") <= 2
    assert "Traceback" not in done.stderr
    assert "ignored" not in done.stderr


def test_a_bug_shows_its_traceback_in_ascii_too() -> None:
    done = ran('"$@"', "bug", **C_LOCALE)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ValueError: Fusion" in done.stderr


def test_help_into_a_closed_pipe_is_quiet() -> None:
    done = subprocess.run(
        ["sh", "-c", f"{{ sleep 0.2; '{sys.executable}' {SOURCE}/show.py --help; }} | true"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_lets_the_stage_clean_up(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    cleaned = []
    # Whoever runs the tests in the background may have had Ctrl-C ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def stage() -> None:
        try:
            os.kill(os.getpid(), number)
            signal.pause()
        finally:
            cleaned.append(True)

    try:
        code, shown = outcome(stage, capsys)
    finally:
        signal.signal(signal.SIGINT, before)
    assert code == 1
    assert shown.startswith("error: interrupted")
    assert shown.count("\n") == 1
    assert cleaned == [True]


WORKSPACE = {"DVC_STAGE": "train@add", "DVC_ROOT": "."}


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, ["nothing half-written", "run the same command again"]),
        ({"DVC_ROOT": "."}, ["run the same command again"]),
        (WORKSPACE, ["removed this stage's old outputs", "dvc repro goes on",
                     "git restore dvc.lock metrics plots && dvc checkout"]),
        (WORKSPACE | {"DVC_EXP_NAME": "pale-lark"},
         ["params.yaml stays changed", "dvc exp run goes on",
          "git restore params.yaml dvc.lock metrics plots && dvc checkout"]),
        (WORKSPACE | {"DVC_EXP_NAME": "pale-lark", "DVC_ROOT": ".."}, ["workspace is as it was"]),
    ],
    ids=["by hand", "no stage", "repro", "experiment", "temp"],
)  # fmt: skip
def test_what_an_interrupt_leaves_is_said_as_far_as_it_is_so(
    variables: dict[str, str],
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("DVC_STAGE", "DVC_ROOT", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    code, shown = outcome(raising(KeyboardInterrupt()), capsys)
    assert code == 1
    assert shown.startswith("error: interrupted; ")
    assert shown.count("\n") <= 2
    assert max(map(len, shown.splitlines())) <= 105
    assert [word for word in words if word not in shown] == []
    assert ("back to HEAD" in shown) == ("git restore" in " ".join(words))


# --- Colours ---

SENTENCES = """\
Shown to be better than each sensor alone: a. As good as
the best, to within 2 points: a.
a is better than [b]: +1.0 points (95 % interval +0.1 to +1.9; p = 0.01). A long line that no terminal of 80 columns has room for.
c is worse
than b: -3.0 points. Collapsed to one class, which the means include: c in 2 of 3 seeds.
warning: stale: c.
model   collapsed seeds   99.5
"""  # noqa: E501


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return Terminal()


def coloured(text: str) -> list[str]:
    """Return what stands between a change of colour and its end."""
    return re.findall(r"\x1b\[[\d;]+m(.*?)\x1b\[0m", text, re.DOTALL)


def test_words_are_coloured_on_a_terminal_and_nothing_else_changes(terminal: Terminal) -> None:
    cli.show(SENTENCES, terminal)
    shown = terminal.getvalue()
    assert re.sub(r"\x1b\[[\d;]*m", "", shown) == f"{SENTENCES}\n"
    words = " ".join(" ".join(coloured(shown)).split())
    assert words == (
        "Shown to be better than each sensor alone As good as the best is better than is worse "
        "than Collapsed warning: stale:"
    )


@pytest.mark.parametrize("variable", ["NO_COLOR", "pipe"])
def test_a_pipe_and_no_color_get_the_bytes_alone(
    variable: str, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO() if variable == "pipe" else terminal
    if variable == "NO_COLOR":
        monkeypatch.setenv("NO_COLOR", "1")
    cli.show(SENTENCES, stream)
    assert stream.getvalue() == f"{SENTENCES}\n"


def test_an_error_is_red_on_a_terminal(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal)
    with pytest.raises(SystemExit):
        cli.run(raising(ParamsError("params.yaml: [a] = 1: error: no heading")))
    assert coloured(terminal.getvalue()) == ["error:"]
    assert terminal.getvalue().startswith("\x1b[1;31m")
    assert terminal.getvalue().endswith(" params.yaml: [a] = 1: error: no heading\n")


@pytest.mark.slow
@pytest.mark.parametrize("no_color", [True, False])
def test_a_real_terminal_gets_colours_unless_no_color_is_set(
    no_color: bool, tmp_path: Path
) -> None:
    main, side = pytest.importorskip("pty").openpty()
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    done = subprocess.run(
        [sys.executable, SOURCE / "show.py", "table"], cwd=tmp_path, check=False, timeout=60,
        stdin=side, stdout=side, stderr=side,
        env=kept | {"TERM": "xterm-256color"} | ({"NO_COLOR": "1"} if no_color else {}),
    )  # fmt: skip
    os.close(side)
    shown = os.read(main, 10_000).decode()
    os.close(main)
    assert done.returncode == 1
    assert coloured(shown) == ([] if no_color else ["error:"])
    assert "metrics/comparison.csv: no such file; 'dvc repro' makes it" in shown


# --- Help ---


@pytest.mark.parametrize("command", ["table", "verdict", "plan", "diff", "export"])
def test_help_of_a_command_is_its_docstring(command: str) -> None:
    done = subprocess.run(
        [sys.executable, SOURCE / "show.py", command, "--help"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0
    text = inspect.getdoc(getattr(show, command))
    assert text is not None
    assert text in done.stdout
    assert f"usage: show.py {command}" in done.stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_is_shown_without_loading_heavy_libraries(script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", SOURCE / script, "--help"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stdout.startswith("usage: ")
    assert len(done.stdout) > 120, "the script's docstring"
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "argparse" in loaded
    heavy = {"torch", "numpy", "sklearn", "pandas", "matplotlib", "pydantic", "yaml"}
    assert loaded & heavy == set()


# --- Stage check ---


@pytest.fixture
def project(tmp_path: Path, params_text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "params.yaml").write_text(params_text, "utf-8")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/sensors.yaml").write_text(SENSORS, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["check.py", "checked"])
    return tmp_path


def edit(project: Path, old: str, new: str) -> None:
    path = project / "params.yaml"
    text = path.read_text("utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), "utf-8")


def contents(project: Path) -> dict[str, bytes]:
    folder = project / "checked"
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def checked(project: Path) -> dict[str, bytes]:
    check.main()
    return contents(project)


SETTINGS = {f"settings/{name}.json" for name in FUSIONS.names()}


def test_check_writes_the_seeds_and_what_each_fusion_is_trained_with(project: Path) -> None:
    """Features that are off are left out: weight decay, schedule, class weights, align."""
    files = checked(project)
    assert set(files) == {"classes.json", "params.json", "seeds.json", *SETTINGS}
    assert json.loads(files["seeds.json"]) == {"seeds": [0, 1, 2]}
    assert {files[name] for name in SETTINGS} == {files["settings/add.json"]}
    assert json.loads(files["settings/add.json"]) == {
        "train": {
            "seeds": [0, 1, 2],
            "epochs": 15,
            "batch_size": 32,
            "lr": 0.001,
            "pooling": "max",
            "precision": "auto",
        },
        "lidar": {"projection": "spherical", "normalize": True},
    }


def test_training_reads_the_settings_that_check_wrote(project: Path) -> None:
    edit(project, "  hadamard:\n    lr:", "  hadamard:\n    lr: 3e-4\n    schedule: cosine")
    edit(project, "  align: none", "  align: camera")
    checked(project)
    for name in ("add", "hadamard"):
        params = load(project / "params.yaml", Params)
        train, lidar, model = read_settings(project / "checked/settings" / f"{name}.json")
        assert train == params.effective_train(name)
        assert lidar == params.lidar
        assert model == NOTEBOOK
    assert (train.lr, train.schedule, train.weight_decay) == (0.0003, "cosine", 0.0)


@pytest.mark.parametrize(
    ("old", "new", "files"),
    [
        ("fusion: concat", "fusion: late", set()),
        ("- hadamard\n", "", set()),
        ("  device: auto", "  device: cpu", set()),
        ("  counts: auto", "  counts: {cubes: 10, spheres: 10}", set()),
        ("  task: shape", "  task: xor", {"classes.json"}),
        ("  lr: 0.001", "  lr: 1e-3", set()),
        ("  late:\n    lr:", "  late:\n    lr: 0.001\n    schedule: constant", set()),
        ("  lr: 0.001", "  lr: 0.0003", SETTINGS),
        ("  normalize: true", "  normalize: false", SETTINGS),
        ("  - 2\n", "", {"seeds.json", *SETTINGS}),
        ("  weight_decay: 0.0", "  weight_decay: 0.1", SETTINGS),
        ("  late:\n    lr:", "  late:\n    lr: 3e-4", {"settings/late.json"}),
    ],
)
def test_a_change_reaches_the_files_of_those_that_it_concerns(
    old: str, new: str, files: set[str], project: Path
) -> None:
    before = checked(project)
    edit(project, old, new)
    after = checked(project)
    assert {name for name in after if after[name] != before[name]} == files


def test_a_key_that_is_new_and_off_changes_no_byte(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the next feature of training will be: declared with its Off, and listed in the params."""

    class WithDropout(TrainParams):
        dropout: Annotated[float, Off(0.0)]

    class WithNewTrain(Params):
        train: WithDropout

    before = checked(project)
    monkeypatch.setattr("fusebench.params.Params", WithNewTrain)
    monkeypatch.setattr("fusebench.params.TrainParams", WithDropout)
    edit(project, "  lr: 0.001", "  lr: 0.001\n  dropout: 0.0")
    assert checked(project) == before
    edit(project, "  dropout: 0.0", "  dropout: 0.5")
    assert json.loads(checked(project)["settings/add.json"])["train"]["dropout"] == 0.5


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  lr: 0.001", "  lr: abc", "train.lr = 'abc': must be a valid number"),
        ("  lr: 0.001", "  learnrate: 1\n  lr: 1", "unknown key 'train.learnrate'; did you mean"),
        ("fusion: concat", "fusion: none", "fusion = 'none': must be one of fusions: late, conc"),
        ("  late:\n    lr:", "  late:\n    lr: 11", "override.late.lr = 11: must be less than"),
        ("  late:\n", "  late:\n    seeds: [1]\n", "override.late.seeds: must be empty"),
    ],
)
def test_wrong_params_are_refused_and_an_earlier_result_stays(
    old: str, new: str, message: str, project: Path
) -> None:
    before = checked(project)
    edit(project, old, new)
    with pytest.raises(ParamsError) as caught:
        check.main()
    assert str(caught.value).startswith(f"params.yaml: {message}")
    assert contents(project) == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  max_range: 50.0", "  max_range: -1", "lidar.max_range = -1: must be greater than 0"),
        (
            "  max_range: 50.0",
            "  maxrange: 1",
            "unknown key 'lidar.maxrange'; did you mean 'lidar.",
        ),
        ("lidar:\n", "lidars:\n", "unknown key 'lidars'; did you mean 'lidar'?"),
    ],
)
def test_wrong_sensors_are_refused_and_an_earlier_result_stays(
    old: str, new: str, message: str, project: Path
) -> None:
    before = checked(project)
    path = project / "data/sensors.yaml"
    path.write_text(SENSORS.replace(old, new), "utf-8")
    with pytest.raises(ParamsError) as caught:
        check.main()
    assert str(caught.value).startswith(f"data/sensors.yaml: {message}")
    assert contents(project) == before


def test_the_sensors_are_those_that_params_name(project: Path) -> None:
    before = checked(project)
    (project / "data/sensors.yaml").rename(project / "data/mine.yaml")
    edit(project, "  sensors: data/sensors.yaml", "  sensors: data/mine.yaml")
    assert checked(project) == before
    (project / "data/mine.yaml").write_text("camera:\n", "utf-8")
    with pytest.raises(ParamsError, match=r"^data/mine\.yaml: camera = empty: must be"):
        check.main()


def resnet18(project: Path, biases: int = 64) -> Path:
    """Let the project's encoder be ResNet-18 with weights of a file, which is returned."""
    import torch
    from safetensors.torch import save_file
    from torchvision import models

    tensors = models.resnet18(weights=None).state_dict()
    path = project / "resnet18.safetensors"
    save_file({**tensors, "bn1.bias": torch.rand(biases)}, path)
    edit(project, "  stem: notebook\n  weights:", f"  stem: resnet18\n  weights: {path.name}")
    return path


def test_another_file_of_weights_trains_anew_and_the_same_one_does_not(project: Path) -> None:
    path = resnet18(project)
    files = checked(project)
    assert json.loads(files["settings/add.json"])["model"] == {
        "stem": "resnet18", "weights": path.name, "digest": file_digest(path),
    }  # fmt: skip
    assert checked(project) == files
    path.unlink()
    edit(project, f"  stem: resnet18\n  weights: {path.name}", "  stem: notebook\n  weights:")
    resnet18(project)
    after = checked(project)
    assert {name for name in files if files[name] != after[name]} == SETTINGS


def test_check_refuses_weights_of_another_network(project: Path) -> None:
    path = resnet18(project, biases=65)
    with pytest.raises(ArtifactError) as caught:
        check.main()
    assert str(caught.value).startswith(
        f"{path.name}: not the weights of torchvision's resnet18 ('bn1.bias' has the shape [65], "
    )
    assert not (project / "checked").exists()


def test_check_names_a_missing_file_of_weights(project: Path) -> None:
    edit(project, "  stem: notebook\n  weights:", "  stem: resnet18\n  weights: absent")
    with pytest.raises(
        ParamsError, match=r"^params\.yaml: model\.weights = 'absent': No such file"
    ):
        check.main()
    assert not (project / "checked").exists()


def test_check_refuses_inputs_that_are_too_small_for_the_encoder(project: Path) -> None:
    edit(project, "  stem: notebook", "  stem: mobilenet_v3_small")
    checked(project)
    sensors = project / "data/sensors.yaml"
    text = sensors.read_text("utf-8")
    assert "  - 64\n  - 64\n  focal" in text
    sensors.write_text(text.replace("  - 64\n  - 64\n  focal", "  - 64\n  - 63\n  focal"), "utf-8")
    with pytest.raises(ParamsError) as caught:
        check.main()
    assert str(caught.value) == (
        "params.yaml: model.stem = 'mobilenet_v3_small': takes inputs of at least 64 × 64, and "
        "those of data/sensors.yaml are 64 × 63; must be one of ['notebook', 'resnet18'] for these"
    )


def test_a_fusion_without_an_entry_in_override_is_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Told by name, and once it is added no longer: so it is for every registered fusion."""
    path = project / "params.yaml"
    head, found, tail = path.read_text("utf-8").partition("override:\n")
    assert found
    names = FUSIONS.names()
    for count in range(len(names) + 1):
        entries = "".join(f"  {name}:\n    lr:\n" for name in names[:count])
        rest = tail[tail.index("stress:") :]
        listed = f"override:\n{entries}" if entries else "override: {}\n"
        path.write_text(f"{head}{listed}{rest}", "utf-8")
        before = checked(project)
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == len(names) - count
        for name, line in zip(names[count:], lines, strict=True):
            assert line.startswith(f"note: params.yaml: override has no '{name}'; add '{name}:' ")
            assert f"-S override.{name}.lr=" in line
    assert set(before) >= SETTINGS


@pytest.mark.slow
def test_wrong_params_stop_the_real_script_with_one_line(project: Path) -> None:
    edit(project, "  lr: 0.001", "  lr: abc")
    done = subprocess.run(
        [sys.executable, SOURCE / "check.py", "checked"],
        cwd=project, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: params.yaml: train.lr = 'abc': must be ")
    assert done.stderr.count("\n") == 1
    assert {path.name for path in project.iterdir()} == {"params.yaml", "data"}


def test_full_disk_is_told_with_the_file_that_was_written(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # A limit on the size of files stands for a full disk: the write itself fails.
    resource = pytest.importorskip("resource")

    def stage() -> None:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
        try:
            check.main()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    code, shown = outcome(stage, capsys)
    assert code == 1
    assert shown.startswith("error: ")
    assert shown.count("\n") == 1
    assert "params.json" in shown
    assert {path.name for path in project.iterdir()} == {"params.yaml", "data"}


def test_missing_params_file_stops_with_one_line(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "params.yaml").unlink()
    code, shown = outcome(check.main, capsys)
    assert code == 1
    assert shown == "error: params.yaml: no such file; run from the root of the project\n"
