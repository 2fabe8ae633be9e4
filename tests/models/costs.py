"""What stems and fusions cost, as the tables of docs/encoders.md.

`python -m tests.models.costs` writes them there.
"""

import re
from collections.abc import Iterable, Mapping

import torch
from tests.project import ROOT
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from fusebench.models.base import ModelSpec, build, build_stem
from fusebench.models.registry import FUSIONS
from fusebench.models.settings import STEMS, StemName

PAGE = ROOT / "docs/encoders.md"
SIZE = 64
CUT = {
    "notebook": "its two blocks",
    "resnet18": "`layer2`",
    "mobilenet_v3_small": "`features.8`",
}


def costs(model: nn.Module, given: Tensor | Mapping[str, Tensor]) -> tuple[int, float]:
    """Return parameters, and millions of operations of one forward pass."""
    with FlopCounterMode(display=False) as counter:
        model.eval()(given)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return parameters, counter.get_total_flops() / 1e6


def spec(stem: StemName, fusion: str) -> ModelSpec:
    return ModelSpec(fusion, 2, (SIZE, SIZE), "max", "fp32", stem)


def stems() -> Iterable[str]:
    """Yield the lines of the table of stems."""
    yield "| `model.stem` | maps | smallest inputs | parameters | MFLOPs | cut behind |"
    yield "|---|---|---|--:|--:|---|"
    for name, kind in STEMS.items():
        parameters, operations = costs(
            build_stem(spec(name, "add"), ("rgb",)), torch.rand(1, 4, SIZE, SIZE)
        )
        yield (
            f"| `{name}` | {kind.channels} channels, 1/{1 << kind.halvings} of height and width | "
            f"{kind.smallest} × {kind.smallest} | {parameters:,} | {operations:.1f} | {CUT[name]} |"
        )


def fusions() -> Iterable[str]:
    """Yield the lines of the table of fusions."""
    yield "| fusion | " + " | ".join(f"`{name}` | MFLOPs" for name in STEMS) + " |"
    yield "|---|" + "--:|--:|" * len(STEMS)
    inputs = {name: torch.rand(1, 4, SIZE, SIZE) for name in ("rgb", "lidar")}
    for fusion in FUSIONS.names():
        cells = [costs(build(spec(name, fusion)), inputs) for name in STEMS]
        figures = [f"{parameters:,} | {operations:.1f}" for parameters, operations in cells]
        yield f"| `{fusion}` | {' | '.join(figures)} |"


def page(text: str) -> str:
    """Return the text of the page with tables of now."""
    for name, lines in (("stems", stems()), ("costs", fusions())):
        table = "\n".join([f"<!-- {name} -->", *lines, f"<!-- /{name} -->"])
        text, count = re.subn(rf"<!-- {name} -->.*<!-- /{name} -->", table, text, flags=re.DOTALL)
        assert count == 1, name
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
