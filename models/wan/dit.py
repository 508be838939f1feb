"""The Wan diffusion transformer, written so that a stream and a clip are the same call.

One call denoises the latent frames it is given, seeing a past that is passed in as a value
(kv_cache). An empty past and all frames of a clip: the published network. A rolling past and a
chunk: the causal stream. Conditions reach a block as one opaque value per layer, so MultiTalk and
AnyTalker change the blocks' conditioning and nothing else.

Shape letters: B batch, F latent frames, h and w latent size, N tokens, L text rows, C channels,
G timestep groups (1, or F when every latent frame has its own timestep).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar, cast

import torch
from torch import Tensor, nn

from models.errors import InputError
from models.norms import LayerNorm
from models.wan.attention import (
    AttentionForm,
    Concatenated,
    SelfAttended,
    SelfAttention,
    SelfAttentionInput,
    TextImageAttention,
    TextImageKV,
)
from models.wan.config import WanConfig
from models.wan.kv_cache import CacheSpec, KVCache, LayerKV
from models.wan.layers import (
    Head,
    TokenProjection,
    gated_residual,
    modulate,
    timestep_embedding,
)
from models.wan.masks import BlockCausal, token_mask
from models.wan.rope import Grid, Rotation, video_rotation

Condition = TypeVar("Condition")


class Prediction(NamedTuple):
    """One pass over a chunk."""

    velocity: Tensor  # [B, C, F, h, w], noise - x0
    kv: tuple[LayerKV, ...]  # this chunk's keys and values, one a layer


class StreamView(NamedTuple):
    """How a chunk stands in its stream, as tensors alone: what a traced graph takes as inputs."""

    rotation: Rotation
    past: Sequence[LayerKV | None]  # one a layer
    mask: Tensor | None  # [N, S + N] or [1, 1, N, S + N], True where allowed
    form: AttentionForm
    timestep_dtype: torch.dtype  # of the timestep's angles


class BlockInput(NamedTuple):
    """What every block of one call shares."""

    modulation: Tensor  # [B, G, 6, C] float32
    attention: SelfAttentionInput
    grid: Grid


class WanBlock(nn.Module, ABC, Generic[Condition]):
    """Self attention, conditioning, feed forward. Subclasses say what the conditioning is."""

    def __init__(self, cfg: WanConfig) -> None:
        super().__init__()
        self.norm1 = LayerNorm(cfg.dim, eps=cfg.eps, elementwise_affine=False)
        self.self_attn = SelfAttention(cfg)
        self.norm3 = LayerNorm(cfg.dim, eps=cfg.eps) if cfg.cross_attn_norm else nn.Identity()
        self.norm2 = LayerNorm(cfg.dim, eps=cfg.eps, elementwise_affine=False)
        self.ffn = nn.Sequential(
            nn.Linear(cfg.dim, cfg.ffn_dim),
            nn.GELU(approximate="tanh"),
            nn.Linear(cfg.ffn_dim, cfg.dim),
        )
        self.modulation = nn.Parameter(torch.randn(1, 6, cfg.dim) / cfg.dim**0.5)

    @abstractmethod
    def condition(
        self, x: Tensor, condition: Condition, attended: SelfAttended, grid: Grid
    ) -> Tensor:
        """Add the conditioning to x [B, N, C]; `attended` is this block's self attention."""

    def forward(
        self, x: Tensor, shared: BlockInput, condition: Condition, past: LayerKV | None
    ) -> tuple[Tensor, LayerKV]:
        """Give x [B, N, C] after the block, and this call's keys and values."""
        table = (self.modulation.float()[:, None] + shared.modulation).unsqueeze(3)
        shift, scale, gate, ffn_shift, ffn_scale, ffn_gate = table.unbind(2)  # [B, G, 1, C]
        attended = self.self_attn(modulate(self.norm1(x), shift, scale), past, shared.attention)
        x = gated_residual(x, attended.y, gate)
        x = self.condition(x, condition, attended, shared.grid)
        y = self.ffn(modulate(self.norm2(x), ffn_shift, ffn_scale))
        return gated_residual(x, y, ffn_gate), attended.kv


class TextImageBlock(WanBlock[TextImageKV]):
    """The base model's block: text and, with an image branch, picture."""

    def __init__(self, cfg: WanConfig) -> None:
        super().__init__(cfg)
        self.cross_attn = TextImageAttention(cfg)

    def condition(
        self, x: Tensor, condition: TextImageKV, attended: SelfAttended, grid: Grid
    ) -> Tensor:
        added: Tensor = self.cross_attn(self.norm3(x), condition)
        return x + added


class WanBackbone(nn.Module, Generic[Condition]):
    """Everything around the blocks: patches, time, text, head. Parameter names as published.

    Source: repository Wan-Video/Wan2.1, wan/modules/model.py (Apache-2.0).
    """

    def __init__(self, cfg: WanConfig, blocks: Sequence[WanBlock[Condition]]) -> None:
        super().__init__()
        self.cfg = cfg
        self.patch_embedding = nn.Conv3d(
            cfg.in_channels, cfg.dim, kernel_size=cfg.patch, stride=cfg.patch
        )
        self.text_embedding = nn.Sequential(
            nn.Linear(cfg.text_dim, cfg.dim),
            nn.GELU(approximate="tanh"),
            nn.Linear(cfg.dim, cfg.dim),
        )
        self.time_embedding = nn.Sequential(
            nn.Linear(cfg.freq_dim, cfg.dim), nn.SiLU(), nn.Linear(cfg.dim, cfg.dim)
        )
        self.time_projection = nn.Sequential(nn.SiLU(), nn.Linear(cfg.dim, cfg.dim * 6))
        self.blocks = nn.ModuleList(blocks)
        self.head = Head(cfg.dim, cfg.out_channels * cfg.patch_area, cfg.eps)
        if cfg.image_dim is not None:
            self.img_emb = TokenProjection(cfg.image_dim, cfg.dim)

    def embed_text(self, rows: Sequence[Tensor]) -> Tensor:
        """Embed one prompt's rows [L, text_dim] per batch entry as [B, text_len, C].

        Raises:
            InputError: when a prompt has no row, too many rows or rows of another width.
        """
        padded = [self._padded(i, text) for i, text in enumerate(rows)]
        embedded: Tensor = self.text_embedding(torch.stack(padded))
        return embedded

    def _padded(self, index: int, rows: Tensor) -> Tensor:
        cfg = self.cfg
        if rows.ndim != 2 or rows.shape[1] != cfg.text_dim or not 0 < len(rows) <= cfg.text_len:
            raise InputError(
                f"prompt {index} has shape {tuple(rows.shape)}, expected [1..{cfg.text_len}, "
                f"{cfg.text_dim}]; shorten the prompt or use this model's text encoder"
            )
        return torch.cat([rows, rows.new_zeros(cfg.text_len - len(rows), cfg.text_dim)])

    def embed_image(self, tokens: Tensor) -> Tensor:
        """Project CLIP tokens [B, L, image_dim] to [B, L, C].

        Raises:
            InputError: when the model has no image branch, or the tokens have another width.
        """
        if self.cfg.image_dim is None or tokens.shape[-1] != self.cfg.image_dim:
            raise InputError(
                f"image tokens of width {tokens.shape[-1]} do not fit image_dim="
                f"{self.cfg.image_dim} of this model"
            )
        embedded: Tensor = self.img_emb(tokens)
        return embedded

    def empty_cache(self, spec: CacheSpec) -> KVCache:
        """Give the past of a stream that has not begun."""
        return KVCache(spec)

    def denoise(
        self,
        latent: Tensor,
        timestep: Tensor,
        conditions: Sequence[Condition],
        past: KVCache | None = None,
        stream: BlockCausal | None = None,
    ) -> Prediction:
        """Predict the velocity of a chunk.

        Args:
            latent: [B, in_channels, F, h, w]: the noisy latent and what the model appends to it.
            timestep: [B], or [B, F] when every latent frame has its own, in [0, 1000].
            conditions: one value per layer.
            past: the stream so far; None for a clip of its own.
            stream: see a whole sequence as a stream of chunks (training); needs an empty past.

        Raises:
            InputError: when shapes do not fit the model, the timestep or the past.
        """
        grid = self._grid(latent, timestep)
        past = past or KVCache(CacheSpec(sink_frames=0, capacity_frames=None))
        self._check_past(past, grid, stream)
        rotation = video_rotation(
            past.positions(grid.frames), grid, self.cfg.head_dim, latent.device
        )
        mask = None
        if stream is not None:
            mask = token_mask(stream.frame_mask(grid.frames), grid.tokens_per_frame)
            mask = mask.to(latent.device)
        layers = [past.layer(index) for index in range(len(self.blocks))]
        view = StreamView(rotation, layers, mask, Concatenated(), self.cfg.timestep_dtype)
        return self.predict(latent, timestep, conditions, view)

    def predict(
        self, latent: Tensor, timestep: Tensor, conditions: Sequence[Condition], view: StreamView
    ) -> Prediction:
        """Predict the velocity of a chunk from tensors alone: no positions, checks or branches.

        Args:
            latent: [B, in_channels, F, h, w].
            timestep: [B] or [B, F] in [0, 1000].
            conditions: one value per layer.
            view: how the chunk stands in its stream.
        """
        _, ph, pw = self.cfg.patch
        grid = Grid(latent.shape[2], latent.shape[3] // ph, latent.shape[4] // pw)
        time = self._embed_time(timestep, view.timestep_dtype, latent.dtype)
        modulation = self.time_projection(time.to(latent.dtype)).float()
        modulation = modulation.reshape(*time.shape[:2], 6, -1)
        attention = SelfAttentionInput(view.rotation, view.mask, view.form)
        shared = BlockInput(modulation, attention, grid)
        x = self.patch_embedding(latent).flatten(2).transpose(1, 2)
        kept = []
        for block, condition, past in zip(self.blocks, conditions, view.past, strict=True):
            x, kv = block(x, shared, condition, past)
            kept.append(kv)
        return Prediction(self._unpatchify(self.head(x, time), grid), tuple(kept))

    def check_chunk(self, latent: Tensor, audio_frames: int, mask_tokens: int | None) -> None:
        """Refuse a chunk whose audio or person masks were made for another.

        Args:
            latent: [B, in_channels, F, h, w].
            audio_frames: latent frames the audio covers.
            mask_tokens: tokens of the person masks; None where there are none.

        Raises:
            InputError: saying which of the two does not fit.
        """
        frames = latent.shape[2]
        if audio_frames != frames:
            raise InputError(f"audio covers {audio_frames} latent frames, the latent has {frames}")
        per_frame = self.tokens_per_frame(latent)
        if mask_tokens not in (None, per_frame):
            raise InputError(
                f"person masks have {mask_tokens} tokens, the latent {per_frame} a frame; "
                "encode the scene at the latent's size"
            )

    def tokens_per_frame(self, latent: Tensor) -> int:
        """Count the tokens of one latent frame of [B, in_channels, F, h, w]."""
        _, ph, pw = self.cfg.patch
        return (latent.shape[3] // ph) * (latent.shape[4] // pw)

    def _embed_time(self, timestep: Tensor, angles: torch.dtype, dtype: torch.dtype) -> Tensor:
        """Embed timesteps [B] or [B, F] as [B, G, C] float32; angles are computed in `angles`."""
        grouped = timestep[:, None] if timestep.ndim == 1 else timestep
        embedded: Tensor = self.time_embedding(
            timestep_embedding(grouped, self.cfg.freq_dim, angles).to(dtype)
        )
        return embedded.float()

    def _unpatchify(self, patches: Tensor, grid: Grid) -> Tensor:
        """Lay patches [B, N, ph * pw * C] out as [B, C, F, h, w]; channels are fastest."""
        _, ph, pw = self.cfg.patch
        b, (f, h, w) = patches.shape[0], grid
        laid = patches.view(b, f, h, w, ph, pw, self.cfg.out_channels)
        return laid.permute(0, 6, 1, 2, 4, 3, 5).reshape(b, -1, f, h * ph, w * pw)

    def _grid(self, latent: Tensor, timestep: Tensor) -> Grid:
        cfg = self.cfg
        _, ph, pw = cfg.patch
        if latent.ndim != 5 or latent.shape[1] != cfg.in_channels or 0 in latent.shape:
            raise InputError(
                f"latent has shape {tuple(latent.shape)}, expected [B, {cfg.in_channels}, F, h, w]"
            )
        b, _, f, h, w = latent.shape
        if h % ph or w % pw:
            raise InputError(f"latent size {h}x{w} is not a multiple of the patch {ph}x{pw}")
        if timestep.shape not in ((b,), (b, f)):
            raise InputError(
                f"timestep has shape {tuple(timestep.shape)}, expected [{b}] or [{b}, {f}]"
            )
        return Grid(f, h // ph, w // pw)

    def _check_past(self, past: KVCache, grid: Grid, stream: BlockCausal | None) -> None:
        if stream is not None and past.layers:
            raise InputError("a whole sequence seen as a stream has its own past; pass past=None")
        if past.layers and past.tokens_per_frame != grid.tokens_per_frame:
            raise InputError(
                f"the past has {past.tokens_per_frame} tokens a latent frame, this chunk "
                f"{grid.tokens_per_frame}; a stream keeps one resolution"
            )


class WanDiT(WanBackbone[TextImageKV]):
    """The base transformer, text-to-video or image-to-video."""

    def __init__(self, cfg: WanConfig) -> None:
        super().__init__(cfg, [TextImageBlock(cfg) for _ in range(cfg.layers)])

    def typed_blocks(self) -> Iterator[TextImageBlock]:
        """Iterate the blocks with their type."""
        return (cast(TextImageBlock, block) for block in self.blocks)

    def encode_scene(
        self, prompts: Sequence[Tensor], image_tokens: Tensor | None = None
    ) -> tuple[TextImageKV, ...]:
        """Compute what does not change while a prompt and a picture stay, once for all steps.

        Args:
            prompts: one [L, text_dim] per batch entry, real tokens only.
            image_tokens: [B, L, image_dim] of the picture, for image-to-video weights.
        """
        text = self.embed_text(prompts)
        image = None if image_tokens is None else self.embed_image(image_tokens)
        return tuple(block.cross_attn.project(text, image) for block in self.typed_blocks())
