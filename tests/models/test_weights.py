import json
import pickle
import resource
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from fusebench.errors import ArtifactError, FusebenchError
from fusebench.models import registry, weights
from fusebench.models.base import Fusion, ModelSpec


def built(fusion: str = "add", classes: int = 2, size: tuple[int, int] = (16, 16)) -> Fusion:
    return registry.build(ModelSpec(fusion, classes, size, "max", "fp32"))


def refusal(path: Path, model: nn.Module) -> str:
    with pytest.raises(ArtifactError) as caught:
        weights.load(path, model)
    message = str(caught.value)
    assert str(path) in message
    assert len(message.splitlines()) == 1
    return message


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "seed_0.safetensors"
    weights.save(path, built().state_dict())
    return path


def test_missing_file_is_named_with_what_makes_it(tmp_path: Path) -> None:
    message = refusal(tmp_path / "seed_0.safetensors", built())
    assert "no such file" in message
    assert "dvc repro" in message


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_file_is_named(stored: Path, share: float) -> None:
    content = stored.read_bytes()
    stored.write_bytes(content[: int(share * len(content))])
    refusal(stored, built())


@pytest.mark.parametrize(
    "other",
    [built("concat"), built("late"), built(classes=3), built(size=(32, 16))],
    ids=["concat", "late", "three classes", "other size"],
)
def test_weights_of_another_model_are_refused(stored: Path, other: Fusion) -> None:
    refusal(stored, other)


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


def test_file_is_plain_json_and_numbers(stored: Path) -> None:
    content = stored.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    expected = {name: list(value.shape) for name, value in built().state_dict().items()}
    assert {n: h["shape"] for n, h in header.items() if n != "__metadata__"} == expected


def test_same_weights_give_the_same_bytes_in_any_memory_format(stored: Path) -> None:
    other = stored.with_name("other")
    model = built()
    weights.load(stored, model)
    weights.save(other, model.to(memory_format=torch.channels_last).state_dict())
    assert other.read_bytes() == stored.read_bytes()


def test_saved_file_takes_the_place_of_the_old_one_only_when_complete(stored: Path) -> None:
    before = stored.read_bytes()

    class Broken(dict[str, Tensor]):
        def items(self) -> "Broken":  # type: ignore[override]
            raise RuntimeError("no weights")

    with pytest.raises(RuntimeError, match="no weights"):
        weights.save(stored, Broken())
    assert stored.read_bytes() == before
    assert list(stored.parent.iterdir()) == [stored]


def test_full_disk_while_saving_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    # A limit on the size of files stands for a full disk: writing fails half-way.
    path, state = tmp_path / "seed_0.safetensors", built().state_dict()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises((FusebenchError, OSError)) as caught:
            weights.save(path, state)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    named = getattr(caught.value, "filename", None) or caught.value
    assert "seed_0.safetensors" in str(named)
    assert list(tmp_path.iterdir()) == []
