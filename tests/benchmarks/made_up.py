"""A result of bench.py, made up."""

from collections.abc import Mapping
from typing import Any

from benchmarks.timing import spread

AMX = {"amx_bf16": True, "avx512_bf16": True, "avx512_f": True}
NONE = dict.fromkeys(AMX, False)


def result(
    commit: str = "abc",
    measured: str = "2030-01-01",
    sets: Mapping[str, bool] = NONE,
    ratio: float = 3.0,
    share: float = 70.0,
) -> dict[str, Any]:
    """Return what `suite.measure` would give: a training of 2 s beside the notebook's way."""
    figures: dict[str, Any] = {
        "seconds_per_epoch": spread([2.0]), "ratio": spread([1.0]),
        "memory": {"peak_mb": 900.0, "measured": "PSS"}, "flops": 300e9, "bytes": 4e9,
        "gigaflops": 150.0, "share_of_peak": share,
        "floor_seconds": {"operations": 1.5, "bytes": 0.4}, "over_floor": 1.333,
        "time_to_loss": [{"reached": True, "seconds": 10.0, "epochs": 5, "lowest": 0.01}],
    }  # fmt: skip
    slower = {**figures, "seconds_per_epoch": spread([2 * ratio]), "ratio": spread([ratio])}
    one = spread([1.0])
    return {
        "environment": {
            "processor": f"P of {commit}", "threads": 2, "cores": 2, "instruction_sets": sets,
            "python": "3", "torch": "2", "numpy": "2", "os": "Linux", "commit": commit,
            "measured": measured,
        },
        "plan": {"seeds": [0], "val_loss": 0.05},
        "samples": {"train": 80, "val": 20},
        "training": {
            "cpu": {
                "reference": "project-fp32",
                "implementations": {
                    "project-fp32": figures,
                    "project-portable": {**figures, "over_floor": 1.5},
                    "notebook-fp32": slower,
                },
                "peak_gigaflops": {"fp32": spread([200.0])},
                "copy_gigabytes": spread([10.0]),
            },
            "cuda": {"not_measured": "torch finds no GPU"},
        },
        "side_by_side": {"seeds": 2, "ratio": spread([1.25])},
        "data": {name: {"seconds": one, "peak_mb": one} for name in ("synthesize", "extract")},
        "startup": {
            "import_torch": one, "help": {"split": one},
            "start": {"split": one, "train": one}, "ratio": {"train": one},
        },
        "no_op": {"not_measured": "no DVC"},
    }  # fmt: skip
