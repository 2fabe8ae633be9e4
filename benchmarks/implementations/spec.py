"""Which implementations are timed, without importing what it takes to build one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

from fusebench.processor import lacking_for_portable

if TYPE_CHECKING:
    from fusebench.device import Precision

CHANNELS = 512
"""Of the maps that are convolved."""
COPIED_MIB = 512
"""Size of the array that is copied: well beyond the last cache of processors of today."""


class Implementation(Protocol):
    """One way of training, as the worker process runs it."""

    def start(self, seed: int) -> None:
        """Begin a training anew."""

    def epoch(self) -> float | None:
        """Run one epoch; a training returns its val loss, in nats per sample."""


@dataclass(frozen=True)
class Spec:
    """What an implementation is built from; sent to its process as JSON.

    Attributes
    ----------
    kind : {"project", "notebook", "fabric", "matmul", "convolution", "copy"}
    precision : {"fp32", "bf16"}
    device : {"cpu", "cuda"}
    threads : int
        On the CPU, the same for all.
    size : int
        Rows and columns of the matrices, where the work is a matrix product; channels, where it is
        a convolution; MiB of the array, where it is a copy.
    portable : bool
        Whether the project trains in portable mode: fp32, with the threads of the others.
    """

    kind: Literal["project", "notebook", "fabric", "matmul", "convolution", "copy"]
    precision: Precision
    device: Literal["cpu", "cuda"]
    threads: int
    size: int = 4096
    portable: bool = False

    @property
    def name(self) -> str:
        """How results call the implementation."""
        return f"{self.kind}-{'portable' if self.portable else self.precision}"

    def fields(self) -> dict[str, Any]:
        """Return what `Spec(**…)` builds an equal one from."""
        return asdict(self)


def implementations(
    device: Literal["cpu", "cuda"], precision: Precision, threads: int
) -> list[Spec]:
    """Return the trainings that are timed on a device, the project as it is shipped first.

    Parameters
    ----------
    precision : {"fp32", "bf16"}
        What `train.precision: auto` comes to on the device.
    """
    specs = [Spec("project", precision, device, threads)]
    if precision != "fp32":
        specs.append(Spec("project", "fp32", device, threads))
    if device == "cpu" and not lacking_for_portable():
        specs.append(Spec("project", "fp32", device, threads, portable=True))
    if device == "cpu":
        specs += [
            Spec("notebook", "fp32", device, threads),
            Spec("fabric", "fp32", device, threads),
        ]
    return specs


def calibrations(specs: Sequence[Spec]) -> list[Spec]:
    """Return what gives the peak rates: both products per precision of the trainings, a copy."""
    by_precision = {spec.precision: spec for spec in specs}
    first = specs[0]
    return [
        *(
            product
            for precision, spec in by_precision.items()
            for product in (
                Spec("matmul", precision, spec.device, spec.threads),
                Spec("convolution", precision, spec.device, spec.threads, size=CHANNELS),
            )
        ),
        Spec("copy", "fp32", first.device, first.threads, size=COPIED_MIB),
    ]


def side_by_side(spec: Spec) -> list[Spec]:
    """Return a training with one thread per thread of `spec`: seeds that train at the same time."""
    return [replace(spec, threads=1) for _ in range(spec.threads)]
