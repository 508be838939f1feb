"""Self attention over a stream, and cross attention to text and picture.

Shape letters: B batch, N tokens of this call, S cached tokens, L context tokens, H heads,
D head width, C = H * D.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.norms import RMSNorm
from models.wan.config import WanConfig
from models.wan.kv_cache import LayerKV
from models.wan.rope import Rotation, rotate


def split_heads(x: Tensor, heads: int) -> Tensor:
    """View x [..., N, C] as [..., H, N, D]."""
    return x.reshape(*x.shape[:-1], heads, -1).transpose(-2, -3)


def merge_heads(x: Tensor) -> Tensor:
    """Join x [..., H, N, D] to [..., N, C]."""
    return x.transpose(-2, -3).flatten(-2)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention on [..., H, N, D]; mask [N, S] is True where allowed.

    More batch axes than one are joined for the call: exported graphs know attention on four axes.
    """
    if q.ndim > 4:
        folded = [x.flatten(0, -4) for x in (q, k, v)]
        return attend(folded[0], folded[1], folded[2], mask).reshape(*q.shape[:-1], v.shape[-1])
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


class SelfAttended(NamedTuple):
    """What one self attention gives: its result, and what others may need of it."""

    y: Tensor  # [B, N, C], after the output projection
    q: Tensor  # [B, H, N, D], rotated
    kv: LayerKV  # of this call's tokens alone, or what the attention form gives back
    reference_k: Tensor  # [B, H, >= n, D], keys whose first n are those of latent frame 0


class Joined(NamedTuple):
    """A chunk's keys and values with its past."""

    seen: LayerKV  # [B, H, S + N, D]: what the chunk attends to
    kept: LayerKV  # what the pass gives back
    reference_k: Tensor  # [B, H, >= n, D]: keys whose first n are those of latent frame 0


class AttentionForm(Protocol):
    """How self attention meets its past; a runtime that keeps caches its own way has its own."""

    def rotate(self, x: Tensor, rotation: Rotation) -> Tensor:
        """Turn channel pairs (2i, 2i + 1) of x [B, H, N, D]; keep its dtype."""
        ...

    def join(self, past: LayerKV | None, own: LayerKV, mask: Tensor | None) -> Joined:
        """Put a chunk's keys and values [B, H, N, D] to its past [B, H, S, D]."""
        ...


class Concatenated:
    """The past grows: the chunk stands behind it, and its own keys and values are given back."""

    def rotate(self, x: Tensor, rotation: Rotation) -> Tensor:
        return rotate(x, rotation)

    def join(self, past: LayerKV | None, own: LayerKV, mask: Tensor | None) -> Joined:
        if past is None:
            return Joined(own, own, own.k)
        seen = LayerKV(torch.cat([past.k, own.k], dim=2), torch.cat([past.v, own.v], dim=2))
        return Joined(seen, own, seen.k)


def qk_norm(cfg: WanConfig) -> nn.Module:
    """Give the norm that queries and keys pass before their heads are split."""
    return RMSNorm(cfg.dim, cfg.eps) if cfg.qk_norm else nn.Identity()


class Projections(nn.Module):
    """What every attention of the base transformer has: projections, and norms of q and k."""

    def __init__(self, cfg: WanConfig) -> None:
        super().__init__()
        self.heads = cfg.heads
        self.q = nn.Linear(cfg.dim, cfg.dim)
        self.k = nn.Linear(cfg.dim, cfg.dim)
        self.v = nn.Linear(cfg.dim, cfg.dim)
        self.o = nn.Linear(cfg.dim, cfg.dim)
        self.norm_q = qk_norm(cfg)
        self.norm_k = qk_norm(cfg)

    def query(self, x: Tensor) -> Tensor:
        """Give queries [B, H, N, D] of x [B, N, C]."""
        return split_heads(self.norm_q(self.q(x)), self.heads)

    def key_value(self, x: Tensor) -> LayerKV:
        """Give keys and values [B, H, N, D] of x [B, N, C]."""
        return LayerKV(
            split_heads(self.norm_k(self.k(x)), self.heads), split_heads(self.v(x), self.heads)
        )


class SelfAttentionInput(NamedTuple):
    """What the self attentions of all layers share."""

    rotation: Rotation
    mask: Tensor | None  # [N, S + N] or [1, 1, N, S + N]; None where all that is passed is seen
    form: AttentionForm


class SelfAttention(Projections):
    """Each call's tokens see themselves whole and every cached token.

    With an empty past and a whole clip this is the published bidirectional attention.
    """

    def forward(self, x: Tensor, past: LayerKV | None, how: SelfAttentionInput) -> SelfAttended:
        """Attend x [B, N, C] to itself and the past."""
        q = how.form.rotate(self.query(x), how.rotation)
        k, v = self.key_value(x)
        joined = how.form.join(past, LayerKV(how.form.rotate(k, how.rotation), v), how.mask)
        y = self.o(merge_heads(attend(q, *joined.seen, how.mask)))
        return SelfAttended(y, q, joined.kept, joined.reference_k)


class TextImageKV(NamedTuple):
    """One layer's keys and values of prompt and picture: computed once per prompt or scene."""

    k_text: Tensor  # [B, H, L, D]
    v_text: Tensor
    k_image: Tensor | None  # [B, H, L, D]; None without an image branch
    v_image: Tensor | None


class TextImageAttention(Projections):
    """Cross attention to text and, where the weights have it, picture; the results are summed.

    Source: repository Wan-Video/Wan2.1, wan/modules/model.py (Apache-2.0).
    """

    def __init__(self, cfg: WanConfig) -> None:
        super().__init__(cfg)
        self.has_image = cfg.image_dim is not None
        if self.has_image:
            self.k_img = nn.Linear(cfg.dim, cfg.dim)
            self.v_img = nn.Linear(cfg.dim, cfg.dim)
            self.norm_k_img = qk_norm(cfg)

    def project(self, text: Tensor, image: Tensor | None) -> TextImageKV:
        """Give the keys and values of text [B, L, C] and image tokens [B, L', C]."""
        k_image = v_image = None
        if self.has_image and image is not None:
            k_image = split_heads(self.norm_k_img(self.k_img(image)), self.heads)
            v_image = split_heads(self.v_img(image), self.heads)
        return TextImageKV(*self.key_value(text), k_image, v_image)

    def read(self, q: Tensor, kv: TextImageKV) -> Tensor:
        """Sum the text and image results [B, N, C], before the output projection."""
        y = merge_heads(attend(q, kv.k_text, kv.v_text))
        if kv.k_image is not None and kv.v_image is not None:
            y = y + merge_heads(attend(q, kv.k_image, kv.v_image))
        return y

    def forward(self, x: Tensor, kv: TextImageKV) -> Tensor:
        """Attend x [B, N, C]; the result has the same shape."""
        y: Tensor = self.o(self.read(self.query(x), kv))
        return y
