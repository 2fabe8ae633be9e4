import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from fusebench.errors import ArtifactError, FusebenchError
from fusebench.models import weights
from fusebench.models.base import Fusion, ModelSpec, build


def built(fusion: str = "add", classes: int = 2, size: tuple[int, int] = (16, 16)) -> Fusion:
    return build(ModelSpec(fusion, classes, size, "max", "fp32"))


def refusal(path: Path, model: nn.Module) -> str:
    with pytest.raises(ArtifactError) as caught:
        weights.load(path, model)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "seed_0.safetensors"
    weights.save(path, built().state_dict())
    return path


def test_missing_file_is_named_with_what_makes_it(tmp_path: Path) -> None:
    assert "no such file; 'dvc repro' trains it" in refusal(tmp_path / "absent", built())


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_file_is_named(stored: Path, share: float) -> None:
    content = stored.read_bytes()
    stored.write_bytes(content[: int(share * len(content))])
    refusal(stored, built())


@pytest.mark.parametrize(
    "other",
    [("concat", 2, (16, 16)), ("late", 2, (16, 16)), ("add", 3, (16, 16)), ("add", 2, (32, 16))],
)
def test_weights_of_another_model_are_refused(
    stored: Path, other: tuple[str, int, tuple[int, int]]
) -> None:
    refusal(stored, built(*other))


class Payload:
    """What a pickle would run when it is read."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.trace,)


def test_pickle_is_refused_and_never_run(tmp_path: Path) -> None:
    path, trace = tmp_path / "seed_0.safetensors", tmp_path / "it ran"
    path.write_bytes(pickle.dumps(Payload(trace)))
    refusal(path, built())
    torch.save(built().state_dict(), path)
    refusal(path, built())
    assert not trace.exists()


def test_same_weights_give_the_same_bytes_in_any_memory_format(stored: Path) -> None:
    other = stored.with_name("other")
    model = built()
    weights.load(stored, model)
    weights.save(other, model.to(memory_format=torch.channels_last).state_dict())
    assert other.read_bytes() == stored.read_bytes()


def test_full_disk_while_saving_is_named_and_the_older_file_stays(tmp_path: Path) -> None:
    # A limit on the size of files stands for a full disk: writing fails half-way.
    path, state = tmp_path / "seed_0.safetensors", built().state_dict()
    path.write_text("older")
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises((FusebenchError, OSError)) as caught:
            weights.save(path, state)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    named = getattr(caught.value, "filename", None) or caught.value
    assert "seed_0.safetensors" in str(named)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["older"]
