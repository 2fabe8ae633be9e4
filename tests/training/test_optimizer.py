import pytest
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import Tensor, nn

from fusebench.training.optimizer import Adam


def layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(12, 2))


def batch(step: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(step)
    return torch.randn(5, 2, 4, 4, generator=generator), torch.arange(5) % 2


def give_gradients(model: nn.Module, step: int) -> None:
    maps, labels = batch(step)
    model.zero_grad()
    torch.autograd.backward(F.cross_entropy(model(maps), labels))


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_steps_are_those_of_torchs_adam_to_the_bit(weight_decay: float) -> None:
    model, other = layers(), layers()
    mine = Adam(model, weight_decay)
    theirs = torch.optim.Adam(other.parameters(), lr=1, weight_decay=weight_decay, fused=True)
    for step, rate in enumerate((0.01, 0.003, 0.02, 0.0)):
        give_gradients(model, step)
        give_gradients(other, step)
        theirs.param_groups[0]["lr"] = rate
        mine.step(rate)
        theirs.step()
    for name, value in other.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name


def test_zero_grad_forgets_the_gradients() -> None:
    model = layers()
    optimizer = Adam(model, 0.0)
    give_gradients(model, 0)
    optimizer.zero_grad()
    assert all(parameter.grad is None for parameter in model.parameters())


def test_parameter_without_gradient_stays() -> None:
    model = layers()
    before = model.state_dict()["0.weight"].clone()
    optimizer = Adam(model, 0.0)
    give_gradients(model, 0)
    model[0].weight.grad = None
    optimizer.step(0.1)
    assert torch.equal(model.state_dict()["0.weight"], before)
    assert float(optimizer.steps["0.weight"]) == 0
    assert float(optimizer.steps["0.bias"]) == 1


def test_state_is_tensors_by_name_and_can_be_read_back() -> None:
    model = layers()
    optimizer = Adam(model, 0.0)
    give_gradients(model, 0)
    optimizer.step(0.1)
    state = {name: tensor.clone() for name, tensor in optimizer.state_dict().items()}
    assert set(state) == {
        f"{kind}/{name}"
        for kind in ("means", "squares", "steps")
        for name, _ in model.named_parameters()
    }
    fresh = Adam(model, 0.0)
    fresh.load_state_dict(state)
    for name, tensor in fresh.state_dict().items():
        assert torch.equal(tensor, state[name]), name


@pytest.mark.parametrize("change", ["missing", "more"])
def test_state_of_another_model_is_refused(change: str) -> None:
    optimizer = Adam(layers(), 0.0)
    state = dict(optimizer.state_dict())
    name = "means/0.weight"
    if change == "more":
        state["means/9.weight"] = state[name]
    else:
        del state[name]
    with pytest.raises(KeyError, match="optimiser state: means/"):
        optimizer.load_state_dict(state)
