import io
import json
from pathlib import Path

import pytest
import torch

from benchmarks.contestants.notebook import Notebook
from benchmarks.contestants.product import Product
from benchmarks.contestants.project import Project
from benchmarks.contestants.spec import Spec
from benchmarks.worker import answer, build, serve
from fusebench.device import Device


class Fake:
    """A contestant that multiplies two small matrices in a turn."""

    def __init__(self) -> None:
        self.seeds: list[int] = []

    def start(self, seed: int) -> None:
        self.seeds.append(seed)

    def turn(self) -> float | None:
        torch.mm(torch.ones(2, 3), torch.ones(3, 5))
        return 0.25


def test_each_request_has_one_line_as_its_reply(cpu: Device) -> None:
    fake, replies = Fake(), io.StringIO()
    requests = ['{"do": "start", "seed": 7}\n', '{"do": "turn"}\n', '{"do": "flops"}\n']
    serve(fake, cpu, requests, replies)
    ready, started, turn, flops = map(json.loads, replies.getvalue().splitlines())
    assert (ready, started, flops) == ({"ready": True}, {}, {"flops": 2 * 2 * 3 * 5})
    assert turn["val_loss"] == 0.25
    assert turn["seconds"] > 0
    assert fake.seeds == [7]


def test_memory_is_what_the_project_itself_says(cpu: Device) -> None:
    found = answer(Fake(), cpu, {"do": "memory"})
    assert found["peak_mb"] > 50
    assert "resident set" in found["measured"]


def test_an_unknown_request_is_an_error(cpu: Device) -> None:
    with pytest.raises(ValueError, match="'dance' is unknown"):
        answer(Fake(), cpu, {"do": "dance"})


@pytest.mark.parametrize(
    ("kind", "made"), [("project", Project), ("notebook", Notebook), ("product", Product)]
)
def test_a_spec_says_which_contestant_is_made_with_how_many_threads(
    kind: str, made: type, here: Path, tmp_path: Path, cpu: Device
) -> None:
    assert here
    assert cpu.threads == torch.get_num_threads() == 1
    spec = Spec("project", "fp32", "cpu", 2)
    contestant, device = build(Spec(**spec.fields() | {"kind": kind}), tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(cpu.threads)
    assert isinstance(contestant, made)
    assert (threads, device.threads, device.device.type) == (2, 2, "cpu")
