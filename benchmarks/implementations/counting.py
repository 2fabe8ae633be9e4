"""What an epoch computes and moves at least, counted while it runs."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from benchmarks.implementations.spec import Implementation

_COPIES = (torch.ops.aten.copy_,)


class OperandBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sums the bytes of the tensors that some operators read and write, each once per call.

    Parameters
    ----------
    operators : collection of operators
        Without overload, as `torch.ops.aten.mm`.
    """

    def __init__(self, operators: Collection[Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._operators = operators
        self.total = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run an operator, and count its operands if it is one of those."""
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket in self._operators:
            moved = {
                id(leaf): leaf.nbytes
                for leaf in tree_leaves((args, kwargs, result))
                if isinstance(leaf, Tensor)
            }
            self.total += sum(moved.values())
        return result


def counted(implementation: Implementation, copies: bool) -> dict[str, int]:
    """Run one epoch; return its floating-point operations and the bytes it moves at least.

    The bytes are those of the operators that the operations are counted of (convolutions and matrix
    products, forward and back): each reads its inputs and writes its outputs once. All else,
    pooling, ReLU and the optimiser among it, could be fused into them, and so counts nothing.

    Parameters
    ----------
    copies : bool
        Whether the epoch consists of copies, which are counted then: an array read, one written.
    """
    # The counter of operations takes composite operators apart; the other mode sees the parts.
    with (
        OperandBytes(_COPIES if copies else flop_registry) as moved,
        FlopCounterMode(display=False) as counter,
    ):
        implementation.epoch()
    # copy_ has its target as an argument and as its result: one object, one writing.
    return {"flops": counter.get_total_flops(), "bytes": moved.total}
