"""Intermediate fusion by attention through a few tokens."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fusebench.models.attention import Attention, TokenFusion
from fusebench.models.base import ModelSpec

_TOKENS = 4
_HEADS = 4


class Bottleneck(TokenFusion):
    """f = [r + A_r(r, z) ; l + A_l(l, z)], z = ½(G_r(r) + G_l(l)), G(x) = softmax(S(x + p))ᵀ·V·x.

    All that the inputs tell each other passes through the four tokens z. Each gathers from every
    place of both inputs, by the scores that its row of S gives them; softmax is over places. Then
    each place of an input asks the four: A is the attention of `cross_attention`, without a place
    code for z. p is a fixed code of the place. It is concatenation with 9 % more parameters;
    operations are concatenation's within 10 % with inputs of 64 × 64. In the paper the tokens of
    a sensor attend to each other, too, in several layers; here the convolutions before and behind
    do that, and there is one exchange.

    References
    ----------
    Nagrani et al., "Attention bottlenecks for multimodal fusion", NeurIPS 2021.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        width = self.channels // 2
        # The queries of the four and the keys of the places in one: only their product matters.
        self.scores = nn.ModuleDict(
            {name: nn.Linear(self.channels, _TOKENS, bias=False) for name in self.inputs}
        )
        self.values = nn.ModuleDict({name: nn.Linear(self.channels, width) for name in self.inputs})
        self.attentions = nn.ModuleDict(
            {name: Attention(self.channels, width, width, _HEADS) for name in self.inputs}
        )

    def exchange(self, tokens: Mapping[str, Tensor], code_nc: Tensor) -> Mapping[str, Tensor]:
        """Return what each place finds in the tokens between the inputs."""
        between_bmc = torch.stack(
            [self._gather(name, own, code_nc) for name, own in tokens.items()]
        ).mean(0)
        return {
            name: self.attentions[name](own + code_nc, between_bmc, between_bmc)
            for name, own in tokens.items()
        }

    def _gather(self, name: str, tokens_bnc: Tensor, code_nc: Tensor) -> Tensor:
        """Return what the tokens between the inputs gather of one input, (b, m, c)."""
        shares_bnm = self.scores[name](tokens_bnc + code_nc).softmax(1)
        gathered_bmc: Tensor = shares_bnm.transpose(1, 2) @ self.values[name](tokens_bnc)
        return gathered_bmc
