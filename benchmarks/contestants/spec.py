"""Who takes part: the names of contestants, without what it takes to make one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    # Imports torch, which the process that asks must not: see `conductor`.
    from fusebench.device import Precision


class Contestant(Protocol):
    """Somebody who works when it is his turn."""

    def start(self, seed: int) -> None:
        """Begin a training anew."""

    def turn(self) -> float | None:
        """Do one turn's work. An epoch returns its val loss, in nats per sample."""


@dataclass(frozen=True)
class Spec:
    """What a contestant is made from; travels to its process as JSON.

    Attributes
    ----------
    kind : {"project", "notebook", "fabric", "product"}
        Whose way of working.
    precision : {"fp32", "bf16"}
    device : {"cpu", "cuda"}
    threads : int
        On the CPU, the same for all.
    """

    kind: Literal["project", "notebook", "fabric", "product"]
    precision: Precision
    device: Literal["cpu", "cuda"]
    threads: int

    @property
    def name(self) -> str:
        """How results call the contestant."""
        return f"{self.kind}-{self.precision}"

    def fields(self) -> dict[str, Any]:
        """Return what `Spec(**…)` makes an equal one from."""
        return asdict(self)


def field(device: Literal["cpu", "cuda"], precision: Precision, threads: int) -> list[Spec]:
    """Return who trains on a device, the project as it is shipped first.

    Parameters
    ----------
    precision : {"fp32", "bf16"}
        What `train.precision: auto` comes to on the device.
    """
    specs = [Spec("project", precision, device, threads)]
    if precision != "fp32":
        specs.append(Spec("project", "fp32", device, threads))
    if device == "cpu":
        specs += [
            Spec("notebook", "fp32", device, threads),
            Spec("fabric", "fp32", device, threads),
        ]
    return specs


def peaks(contestants: Sequence[Spec]) -> list[Spec]:
    """Return a matrix product per precision that the contestants compute in."""
    found = {spec.precision: spec for spec in contestants}
    return [Spec("product", each, spec.device, spec.threads) for each, spec in found.items()]
