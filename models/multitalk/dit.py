"""MultiTalk's transformer: audio attention bound to people by labels, for a clip or a stream.

Shape letters: B batch, P people, F latent frames, h and w latent size, T video frames, N tokens.
Source: MultiTalk (arXiv 2505.22647), repository MeiGen-AI/MultiTalk (Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from models.audio_projection import LatentAudioProjection
from models.errors import InputError
from models.multitalk.audio_attention import AudioAttention, AudioKV, key_labels
from models.multitalk.config import MultiTalkConfig
from models.multitalk.labels import LabelRanges, reference_attention, token_labels
from models.norms import LayerNorm
from models.people import check_people, to_latent_size
from models.wan.attention import SelfAttended, TextImageAttention, TextImageKV
from models.wan.dit import Prediction, WanBackbone, WanBlock
from models.wan.kv_cache import KVCache
from models.wan.masks import BlockCausal
from models.wan.rope import Grid


class MultiTalkScene(NamedTuple):
    """What stays while prompt and picture stay."""

    layers: tuple[TextImageKV, ...]
    regions: Tensor | None  # [B, P + 1, h / 2 * w / 2], people then background; None for one person


class MultiTalkAudio(NamedTuple):
    """The voices of one chunk."""

    layers: tuple[AudioKV, ...]
    seats: tuple[int, ...]  # whose label range each voice uses
    frames: int  # latent frames covered


class MultiTalkCondition(NamedTuple):
    """What one block is conditioned on."""

    scene: TextImageKV
    audio: AudioKV
    regions: Tensor | None  # None: a lone voice, no labels
    seats: tuple[int, ...]
    group_tokens: tuple[int, ...]


class MultiTalkBlock(WanBlock[MultiTalkCondition]):
    """Text and picture, then audio of the people the tokens belong to."""

    def __init__(self, cfg: MultiTalkConfig) -> None:
        super().__init__(cfg.wan)
        self.ranges: LabelRanges = cfg.labels
        self.cross_attn = TextImageAttention(cfg.wan)
        self.audio_cross_attn = AudioAttention(cfg.wan, cfg.audio.out_dim)
        wan = cfg.wan
        self.norm_x = LayerNorm(wan.dim, wan.eps) if cfg.is_audio_query_normed else nn.Identity()

    def condition(
        self, x: Tensor, condition: MultiTalkCondition, attended: SelfAttended, grid: Grid
    ) -> Tensor:
        x = x + self.cross_attn(self.norm3(x), condition.scene)
        labels = None
        if condition.regions is not None:
            reference_k = attended.reference_k[:, :, : grid.tokens_per_frame]
            maps = reference_attention(attended.q, reference_k, condition.regions)
            labels = token_labels(maps, self.ranges, condition.seats, condition.group_tokens)
        heard: Tensor = self.audio_cross_attn(self.norm_x(x), condition.audio, labels)
        return x + heard


class MultiTalkDiT(WanBackbone[MultiTalkCondition]):
    """The published network for one and two people, and its continuation to more."""

    def __init__(self, cfg: MultiTalkConfig) -> None:
        super().__init__(cfg.wan, [MultiTalkBlock(cfg) for _ in range(cfg.wan.layers)])
        self.multitalk = cfg
        self.audio_proj = LatentAudioProjection(cfg.audio)

    def typed_blocks(self) -> list[MultiTalkBlock]:
        """List the blocks with their type."""
        return [cast(MultiTalkBlock, block) for block in self.blocks]

    def encode_scene(
        self, prompts: Sequence[Tensor], image_tokens: Tensor, regions: Tensor | None
    ) -> MultiTalkScene:
        """Compute what does not change while a prompt and a picture stay, once for all steps.

        Args:
            prompts: one [L, text_dim] per batch entry, real tokens only.
            image_tokens: CLIP tokens [B, L, image_dim] of the picture.
            regions: [B, P + 1, h, w] at latent size, 1 inside each person, background last
                (`models.people.with_background`); None for one person.

        Raises:
            InputError: when a person covers nothing at token size, or a shape does not fit.
        """
        text, image = self.embed_text(prompts), self.embed_image(image_tokens)
        layers = tuple(block.cross_attn.project(text, image) for block in self.typed_blocks())
        if regions is None:
            return MultiTalkScene(layers, None)
        _, ph, pw = self.cfg.patch
        tokens = to_latent_size(regions, regions.shape[-2] // ph, regions.shape[-1] // pw)
        check_people(tokens[:, :-1], tokens.shape[1] - 1)
        return MultiTalkScene(layers, tokens.flatten(2))

    def encode_audio(
        self, windows: Tensor, *, starts_stream: bool = True, seats: Sequence[int] | None = None
    ) -> MultiTalkAudio:
        """Compute a chunk's audio keys and values, once for all denoising steps.

        Args:
            windows: [B, P, T, W, L, C]; T is 1 + 4 (F - 1) at the start of a stream, 4 F later.
            starts_stream: whether the first of these video frames is the first of the stream.
            seats: whose label range each voice uses; by default 0, 1, 2, ... from left to right.

        Raises:
            InputError: when windows do not fit, hold NaN, or there are more people than labels.
        """
        people = windows.shape[1] if windows.ndim == 6 else 0
        taken = tuple(range(people) if seats is None else seats)
        if people and len(taken) != people:
            raise InputError(
                f"{people} voices but {len(taken)} seats; name one seat for each voice"
            )
        ranges = self.multitalk.labels
        ranges.check_seats(taken)
        tokens = self.audio_proj(windows, starts_stream=starts_stream)
        labels = key_labels(ranges, taken)
        layers = tuple(
            block.audio_cross_attn.project(tokens, labels) for block in self.typed_blocks()
        )
        return MultiTalkAudio(layers, taken, tokens.shape[2])

    def forward(
        self,
        latent: Tensor,
        timestep: Tensor,
        scene: MultiTalkScene,
        audio: MultiTalkAudio,
        past: KVCache | None = None,
        stream: BlockCausal | None = None,
    ) -> Prediction:
        """Predict the velocity of a chunk with its voices.

        Args:
            latent: [B, 36, F, h, w]: noisy latent 16, mask 4, image latent 16.
            timestep: [B] or [B, F] in [0, 1000].
            scene: from `encode_scene`.
            audio: from `encode_audio`. A single voice is attended without labels, also in a scene
                of several people: that is the published pass without audio.
            past: the stream so far; with several voices its sink must hold the reference frame.
            stream: see a whole sequence as a stream of chunks (training).

        Raises:
            InputError: when voices, people, frames or the past do not fit each other.
        """
        regions = self._regions(scene, audio, past)
        self.check_chunk(latent, audio.frames, None if regions is None else regions.shape[2])
        frames = latent.shape[2]
        chunks = [frames] if stream is None else stream.chunk_sizes(frames)
        groups = tuple(self.tokens_per_frame(latent) * chunk for chunk in chunks)
        conditions = [
            MultiTalkCondition(text_image, voices, regions, audio.seats, groups)
            for text_image, voices in zip(scene.layers, audio.layers, strict=True)
        ]
        return self.denoise(latent, timestep, conditions, past, stream)

    def _regions(
        self, scene: MultiTalkScene, audio: MultiTalkAudio, past: KVCache | None
    ) -> Tensor | None:
        """Give the regions that bind tokens to voices, or None for a lone voice."""
        voices = len(audio.seats)
        if voices == 1:
            return None
        people = 1 if scene.regions is None else scene.regions.shape[1] - 1
        if people != voices:
            raise InputError(f"{voices} voices for {people} people; give one voice for each person")
        if past is not None and past.layers and past.spec.sink_frames < 1:
            raise InputError(
                "several voices are bound through the reference frame, which this stream forgets; "
                "give its cache sink_frames of at least 1"
            )
        return scene.regions


def silence(windows: Tensor) -> Tensor:
    """Give the published no-audio condition: one stream of zeros [B, 1, T, W, L, C]."""
    return torch.zeros_like(windows[:, -1:])
