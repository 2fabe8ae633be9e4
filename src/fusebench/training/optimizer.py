"""Adam, its state plain tensors with names."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

# torch's defaults, and those of the paper.
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


class Adam:
    """Adam (Kingma & Ba, ICLR 2015) over torch's own fused function.

    The arithmetic is that of `torch.optim.Adam(fused=True)`. The class is not, because making one
    imports torch's compiler, which takes nearly as long as importing torch; and so all of the
    state is tensors by name, fit for a file of safetensors.

    Attributes
    ----------
    means, squares : dict of str to Tensor
        Running means of the gradients and of their squares, by the parameter's name.
    steps : dict of str to Tensor, shape ()
        Steps made so far, float32 as torch wants them.
    """

    def __init__(self, model: nn.Module, weight_decay: float) -> None:
        self._parameters = dict(model.named_parameters())
        self._weight_decay = weight_decay
        self.means = {name: torch.zeros_like(each) for name, each in self._parameters.items()}
        self.squares = {name: torch.zeros_like(each) for name, each in self._parameters.items()}
        self.steps = {
            name: torch.zeros((), dtype=torch.float32, device=each.device)
            for name, each in self._parameters.items()
        }

    def zero_grad(self) -> None:
        """Forget the gradients; the next backward pass makes new ones."""
        for parameter in self._parameters.values():
            parameter.grad = None

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Move every parameter that has a gradient, with learning rate `lr`."""
        moved = {
            name: each.grad for name, each in self._parameters.items() if each.grad is not None
        }
        adam(
            [self._parameters[name] for name in moved],
            list(moved.values()),
            [self.means[name] for name in moved],
            [self.squares[name] for name in moved],
            [],
            [self.steps[name] for name in moved],
            fused=True,
            amsgrad=False,
            beta1=_BETA1,
            beta2=_BETA2,
            lr=lr,
            weight_decay=self._weight_decay,
            eps=_EPSILON,
            maximize=False,
        )

    def state_dict(self) -> dict[str, Tensor]:
        """Return the whole state: tensors named "<means|squares|steps>/<parameter>"."""
        return {
            f"{kind}/{name}": tensor
            for kind in ("means", "squares", "steps")
            for name, tensor in getattr(self, kind).items()
        }

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over a state that `state_dict` gave.

        Raises
        ------
        KeyError
            A name is missing, or there is one that this model lacks.
        """
        held = self.state_dict()
        if different := held.keys() ^ state.keys():
            raise KeyError(f"not this model's optimiser state: {min(different)}")
        for name, tensor in held.items():
            tensor.copy_(state[name])
