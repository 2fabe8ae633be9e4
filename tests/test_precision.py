"""bf16 against fp32: what is rounded, what is not, over the registry."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import Tensor

from fusebench.device import Precision, arithmetic
from fusebench.models import weights
from fusebench.models.base import Fusion, ModelSpec, build
from fusebench.models.registry import FUSIONS
from fusebench.models.settings import STEMS, StemName

CPU = torch.device("cpu")
every_fusion = pytest.mark.parametrize("name", FUSIONS.names())


def built(name: str, precision: Precision, stem: StemName = "notebook") -> Fusion:
    size = STEMS[stem].smallest
    model = build(ModelSpec(name, 2, (size, size), "max", precision, stem))
    weights.initialize(model, 0)
    return model


def maps(count: int = 8, size: int = 16) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.rand(count, 4, size, size, generator=generator) for name in ("rgb", "lidar")
    }


def fits_bf16(values: Tensor) -> Tensor:
    return values.to(torch.bfloat16).to(values.dtype) == values


@every_fusion
def test_bf16_gives_nearly_what_fp32_gives(name: str) -> None:
    exact, rounded = (built(name, "fp32")(maps()), built(name, "bf16")(maps()))
    assert not torch.equal(exact, rounded)
    torch.testing.assert_close(rounded, exact, rtol=0.02, atol=0.02)


@every_fusion
def test_logits_keep_the_digits_of_fp32(name: str) -> None:
    logits = built(name, "bf16")(maps())
    assert logits.dtype == torch.float32
    assert not fits_bf16(logits).any()


@every_fusion
def test_weights_and_gradients_stay_fp32(name: str) -> None:
    model = built(name, "bf16")
    torch.autograd.backward(F.cross_entropy(model(maps()), torch.arange(8) % 2))
    for key, parameter in model.named_parameters():
        assert parameter.dtype == torch.float32, key
        assert parameter.grad is not None, key
        assert parameter.grad.dtype == torch.float32, key
        assert parameter.grad.any(), key


@every_fusion
def test_model_sees_its_new_weights_in_a_context_of_the_callers(name: str) -> None:
    model = built(name, "bf16")
    with arithmetic("bf16", CPU):
        before = model(maps())
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(2)
        assert not torch.equal(model(maps()), before)


@pytest.mark.parametrize("stem", [stem for stem in STEMS if stem != "notebook"])
def test_an_encoder_in_bf16_gives_nearly_what_it_gives_in_fp32(stem: StemName) -> None:
    given = maps(size=STEMS[stem].smallest)
    exact, rounded = (built("concat", precision, stem)(given) for precision in ("fp32", "bf16"))
    assert rounded.dtype == torch.float32
    assert not torch.equal(exact, rounded)
    torch.testing.assert_close(rounded, exact, rtol=0.05, atol=0.05)
    double = built("concat", "fp32", stem).double()
    expected = double({key: values.double() for key, values in given.items()})
    torch.testing.assert_close(exact.double(), expected, rtol=1e-4, atol=1e-5)


@every_fusion
def test_fp32_rounds_nothing(name: str) -> None:
    model = built(name, "fp32")
    expected = model.double()({key: values.double() for key, values in maps().items()})
    assert expected.dtype == torch.float64
    torch.testing.assert_close(model.float()(maps()), expected.float(), rtol=1e-5, atol=1e-6)
