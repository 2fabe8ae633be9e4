"""Attention between the places of maps: tokens, a code of where each is, the layer, its fusions.

Shape suffixes: b batch, c channels, h height, w width, n and m tokens, a heads, d their channels.
"""

from abc import abstractmethod
from collections.abc import Mapping

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import Tensor, nn

from fusebench.models.base import IntermediateFusion


def tokens_of(maps_bchw: Tensor) -> Tensor:
    """Return the places of maps as tokens (b, h·w, c), in the order of channels_last: no copy."""
    return maps_bchw.flatten(2).transpose(1, 2)


def maps_of(tokens_bnc: Tensor, height: int, width: int) -> Tensor:
    """Return tokens (b, h·w, c) as maps (b, c, h, w) in channels_last: no copy."""
    # Not len(), which an export takes for a number of samples that never changes.
    return tokens_bnc.transpose(1, 2).reshape(tokens_bnc.shape[0], -1, height, width)


def place_code(maps_bchw: Tensor) -> Tensor:
    """Return what tells the places of maps apart, shape (h·w, c): sines and cosines, not learned.

    The channels are four quarters of q channels each: sin(row / 10000^(i/q)) for i = 0 … q - 1, its
    cosine, and the same of the column.

    Parameters
    ----------
    maps_bchw : tensor
        Whose places; c divides by four.

    References
    ----------
    Vaswani et al., "Attention is all you need", NeurIPS 2017; for rows and columns as in Carion et
    al., "End-to-end object detection with transformers", ECCV 2020.
    """
    channels, height, width = maps_bchw.shape[1:]
    quarter, device = channels // 4, maps_bchw.device
    # Whole numbers above 256 are not exact in bf16. Made where the maps are: nothing is copied.
    dtype = torch.promote_types(maps_bchw.dtype, torch.float32)
    rates_q = 10_000 ** (-torch.arange(quarter, device=device, dtype=dtype) / quarter)
    angles_hq, angles_wq = (
        torch.arange(size, device=device, dtype=dtype)[:, None] * rates_q
        for size in (height, width)
    )
    rows_hc = torch.cat([angles_hq.sin(), angles_hq.cos()], 1)
    columns_wc = torch.cat([angles_wq.sin(), angles_wq.cos()], 1)
    code_hwc = torch.cat(
        [rows_hc[:, None].expand(-1, width, -1), columns_wc[None].expand(height, -1, -1)], 2
    )
    return code_hwc.flatten(0, 1).to(maps_bchw.dtype)


class Attention(nn.Module):
    """Multi-head attention: W_o·concat over heads of softmax(q·kᵀ / √d)·v.

    q = W_q·queries, k = W_k·keys, v = W_v·values.

    Parameters
    ----------
    channels, source : int
        Of the tokens that ask, which are those of the result, and of the tokens that are asked.
    width : int
        Channels of all heads together.

    References
    ----------
    Vaswani et al., "Attention is all you need", NeurIPS 2017.
    """

    def __init__(self, channels: int, source: int, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(channels, width)
        # A bias would add the same to all scores of a query, and softmax would take it away.
        self.key = nn.Linear(source, width, bias=False)
        self.value = nn.Linear(source, width)
        self.out = nn.Linear(width, channels)

    def forward(self, queries_bnc: Tensor, keys_bmc: Tensor, values_bmc: Tensor) -> Tensor:
        """Return what each query finds, (b, n, c)."""
        queries_band = self._by_head(self.query(queries_bnc))
        keys_bamd = self._by_head(self.key(keys_bmc))
        values_bamd = self._by_head(self.value(values_bmc))
        # Not F.scaled_dot_product_attention: below vmap it has no rule for a CPU, and is fp32.
        scores_banm = queries_band @ keys_bamd.transpose(2, 3) / queries_band.shape[3] ** 0.5
        found_band = scores_banm.softmax(3) @ values_bamd
        found_bnc: Tensor = self.out(found_band.transpose(1, 2).flatten(2))
        return found_bnc

    def _by_head(self, tokens_bnc: Tensor) -> Tensor:
        """Return tokens as (b, a, n, d)."""
        return tokens_bnc.reshape(*tokens_bnc.shape[:2], self.heads, -1).transpose(1, 2)


class TokenFusion(IntermediateFusion):
    """f = [r + a_r ; l + a_l]: each map with what it took from the other, side by side.

    The maps are halved before they are fused, as the head would do after: a quarter of the places.
    """

    def fused_channels(self) -> int:
        """Return the channels of both maps together."""
        return len(self.inputs) * self.channels

    def classify(self, maps: list[Tensor]) -> Tensor:
        """Return logits (b, k)."""
        return self.classify_halved(self.fuse(*(F.max_pool2d(each, 2) for each in maps)))

    def fuse(self, *maps_bchw: Tensor) -> Tensor:
        """Return each map with what it took, side by side, from halved maps."""
        height, width = maps_bchw[0].shape[2:]
        tokens = {name: tokens_of(maps) for name, maps in zip(self.inputs, maps_bchw, strict=True)}
        taken = self.exchange(tokens, place_code(maps_bchw[0]))
        return torch.cat(
            [maps_of(tokens[name] + taken[name], height, width) for name in self.inputs], dim=1
        )

    @abstractmethod
    def exchange(self, tokens: Mapping[str, Tensor], code_nc: Tensor) -> Mapping[str, Tensor]:
        """Return what each input takes from the other, (b, n, c) by name as the tokens are.

        Parameters
        ----------
        code_nc : tensor
            As `place_code`.
        """
