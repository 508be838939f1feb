"""The studio transformer: the Wan backbone, small, block-causal from the start, with voices.

A stream begins with one clean latent frame of the reference picture, the sink. Its keys carry no
time: however long the stream, the picture is equally near. All later frames stand at 1, 2, 3, ...

Shape letters: B batch, P people, F latent frames of a chunk, T = 4 F video frames, h and w latent
size, n tokens of one latent frame, N = F * n, R text rows, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from models.errors import InputError
from models.multitalk.audio_attention import AudioKV
from models.norms import LayerNorm
from models.people import check_people
from models.studio.config import Binding, StudioConfig
from models.studio.motion import Motion
from models.studio.text_encoder import TextEncoder
from models.studio.vae_config import FRAMES_PER_LATENT
from models.studio.voices import (
    AudioTokens,
    FaceEncoder,
    FaceKV,
    IdentityHearing,
    LabelHearing,
    Movement,
    moved_tokens,
    picture_labels,
)
from models.wan.attention import (
    Concatenated,
    SelfAttended,
    TextImageAttention,
    TextImageKV,
)
from models.wan.dit import Prediction, StreamView, WanBackbone, WanBlock
from models.wan.kv_cache import CacheSpec, KVCache
from models.wan.masks import BlockCausal, token_mask
from models.wan.rope import Grid, Rotation, axis_widths, video_rotation

FULL_NOISE = 1000.0  # timestep of pure noise
SMALLEST_NOISE = 0.02


class StudioScene(NamedTuple):
    """What stays while prompt and picture stay."""

    reference: Tensor  # [B, C, 1, h, w], the picture's latent
    text: tuple[TextImageKV, ...]
    faces: tuple[FaceKV, ...]  # empty with labels
    people: Tensor  # [B, P, n] in 0..1: how much each token belongs to each person


class StudioAudio(NamedTuple):
    """The voices of one chunk."""

    layers: tuple[AudioKV, ...]
    movement: tuple[Tensor, ...]  # [B, P, F, 2 C], one a layer
    people: int
    frames: int  # latent frames covered


class StudioCondition(NamedTuple):
    """What one block is conditioned on."""

    text: TextImageKV
    voices: AudioKV
    faces: FaceKV | None  # None with labels
    people: Tensor  # identity: [B, P, N] in 0..1; labels: [B, N] labels
    movement: Tensor  # [B, P, F, 2 C]
    shares: Tensor  # [B, P, n] in 0..1: how much each token belongs to each person


class StudioBlock(WanBlock[StudioCondition]):
    """Prompt, then voices, bound by labels or by identity."""

    def __init__(self, cfg: StudioConfig) -> None:
        super().__init__(cfg.wan)
        self.cross_attn = TextImageAttention(cfg.wan)
        self.norm_x = LayerNorm(cfg.wan.dim, cfg.wan.eps)
        self.hearing: LabelHearing | IdentityHearing
        if cfg.binding is Binding.LABELS:
            self.hearing = LabelHearing(cfg.wan, cfg.audio_dim)
        else:
            self.hearing = IdentityHearing(cfg.wan, cfg.audio_dim)

    def condition(
        self, x: Tensor, condition: StudioCondition, attended: SelfAttended, grid: Grid
    ) -> Tensor:
        x = x + self.cross_attn(self.norm3(x), condition.text)
        normed = self.norm_x(x)
        x = moved_tokens(x, normed, condition.movement, condition.shares)
        if isinstance(self.hearing, LabelHearing):
            return x + self.hearing.hear(normed, condition.voices, condition.people)
        faces = cast(FaceKV, condition.faces)  # as encode_scene made it
        return x + self.hearing.hear(normed, condition.voices, faces, condition.people)


class StudioDiT(WanBackbone[StudioCondition]):
    """The transformer with its prompt encoder, face encoder and audio tokens."""

    def __init__(self, cfg: StudioConfig) -> None:
        super().__init__(cfg.wan, [StudioBlock(cfg) for _ in range(cfg.wan.layers)])
        self.studio = cfg
        self.text_encoder = TextEncoder(cfg.text)
        self.audio_tokens = AudioTokens(cfg)
        self.movement = Movement(cfg)
        if cfg.binding is Binding.IDENTITY:
            self.face_encoder = FaceEncoder(cfg)

    def typed_blocks(self) -> list[StudioBlock]:
        """List the blocks with their type."""
        return [cast(StudioBlock, block) for block in self.blocks]

    def cache_spec(self) -> CacheSpec:
        """Give how much of a stream the next chunk sees."""
        cfg = self.studio
        seen = cfg.sink_frames + cfg.window_frames + cfg.chunk_frames
        return CacheSpec(sink_frames=cfg.sink_frames, capacity_frames=seen)

    def rotation(self, positions: Sequence[int], grid: Grid, device: torch.device) -> Rotation:
        """Give the rotation of latent frames at `positions`; those in the sink have no time."""
        turned = video_rotation(positions, grid, self.cfg.head_dim, device)
        pairs = axis_widths(self.cfg.head_dim).time // 2
        timed = torch.tensor([p >= self.studio.sink_frames for p in positions], device=device)
        keep = torch.ones(grid.frames, self.cfg.head_dim // 2, device=device)
        keep[:, :pairs] = timed[:, None].float()
        keep = keep.repeat_interleave(grid.tokens_per_frame, dim=0)
        return Rotation(turned.cos * keep, turned.sin * keep)

    def encode_prompt(self, tokens: Tensor) -> tuple[TextImageKV, ...]:
        """Compute every layer's keys and values of word numbers [B, L], once per prompt."""
        return self.project_text(self.text_encoder(tokens))

    def project_text(self, rows: Tensor) -> tuple[TextImageKV, ...]:
        """Compute every layer's keys and values of encoded prompts [B, R, text_dim]."""
        text = self.text_embedding(rows)
        return tuple(block.cross_attn.project(text, None) for block in self.typed_blocks())

    def encode_faces(self, faces: Tensor) -> tuple[FaceKV, ...]:
        """Compute every layer's keys and values of face crops [B, P, 3, side, side] in -1..1.

        Raises:
            InputError: when the model binds by labels, or crops have another size.
        """
        side = self.studio.face_side_px
        if self.studio.binding is not Binding.IDENTITY:
            raise InputError("this model binds voices by labels and looks at no face crops")
        if faces.ndim != 5 or faces.shape[2:] != (3, side, side):
            raise InputError(
                f"face crops have shape {tuple(faces.shape)}, expected [B, P, 3, {side}, {side}]"
            )
        tokens = self.face_encoder(faces)
        return tuple(
            cast(IdentityHearing, block.hearing).project_faces(tokens)
            for block in self.typed_blocks()
        )

    def encode_scene(
        self, prompt: Tensor, reference: Tensor, people: Tensor, faces: Tensor | None = None
    ) -> StudioScene:
        """Compute what does not change while a prompt and a picture stay.

        Args:
            prompt: word numbers [B, L].
            reference: [B, C, 1, h, w], the picture's latent.
            people: [B, P, h, w] masks in 0..1 at latent size.
            faces: [B, P, 3, side, side] in -1..1, for identity attention.

        Raises:
            InputError: when masks are empty or shapes do not fit the model.
        """
        _, ph, pw = self.cfg.patch
        tokens = F.avg_pool2d(people.float(), (ph, pw))
        check_people(tokens, people.shape[1])
        keys: tuple[FaceKV, ...] = ()
        if self.studio.binding is Binding.IDENTITY:
            if faces is None:
                raise InputError("this model binds voices by identity; give a crop of every face")
            keys = self.encode_faces(faces)
        return StudioScene(reference, self.encode_prompt(prompt), keys, tokens.flatten(2))

    def encode_audio(self, features: Tensor, motion: Motion) -> StudioAudio:
        """Compute a chunk's audio keys and values, once for all denoising steps.

        Args:
            features: [B, P, T, audio_features] of the chunk's video frames.
            motion: what is told of the faces' motion in the same frames.

        Raises:
            InputError: when shapes do not fit the model or each other.
        """
        b, p, frames = features.shape[:3]
        cfg = self.studio
        wanted = ((b, p, frames, cfg.motion_channels), (b, p, frames, cfg.motion_groups))
        got = tuple(tuple(part.shape) for part in motion)
        if frames % FRAMES_PER_LATENT or features.shape[3] != cfg.audio_features or got != wanted:
            raise InputError(
                f"features {tuple(features.shape)} and motion {got} do not fit: expected "
                f"[B, P, 4 F, {cfg.audio_features}], [..., {cfg.motion_channels}] and "
                f"[..., {cfg.motion_groups}]"
            )
        return StudioAudio(
            self.project_audio(features, motion),
            self.movement(motion),
            p,
            frames // FRAMES_PER_LATENT,
        )

    def project_audio(self, features: Tensor, motion: Motion) -> tuple[AudioKV, ...]:
        """Do the work of `encode_audio`, shapes unchecked: a traced graph cannot raise."""
        tokens = self.audio_tokens(features, motion)
        seats = range(tokens.shape[1])
        labels = [self.studio.labels.key_label(seat) for seat in seats]
        return tuple(
            block.hearing.project(tokens, labels)
            if isinstance(block.hearing, LabelHearing)
            else block.hearing.project(tokens)
            for block in self.typed_blocks()
        )

    def conditions(
        self,
        scene: StudioScene,
        layers: Sequence[AudioKV],
        movement: Sequence[Tensor],
        frames: int,
    ) -> list[StudioCondition]:
        """Give one condition per layer for a chunk of so many latent frames."""
        if self.studio.binding is Binding.LABELS:
            where = picture_labels(scene.people, self.studio.labels).repeat(1, frames)
            return [
                StudioCondition(text, voices, None, where, moved, scene.people)
                for text, voices, moved in zip(scene.text, layers, movement, strict=True)
            ]
        where = scene.people.repeat(1, 1, frames)
        return [
            StudioCondition(text, voices, faces, where, moved, scene.people)
            for text, voices, faces, moved in zip(
                scene.text, layers, scene.faces, movement, strict=True
            )
        ]

    def forward(
        self,
        latent: Tensor,
        timestep: Tensor,
        scene: StudioScene,
        audio: StudioAudio,
        past: KVCache | None = None,
        stream: BlockCausal | None = None,
    ) -> Prediction:
        """Predict the velocity of a chunk with its voices.

        Args:
            latent: [B, C, F, h, w], noisy.
            timestep: [B], or [B, F] when every latent frame has its own, in [0, 1000].
            scene: from `encode_scene`.
            audio: from `encode_audio`, voice i for person i.
            past: the stream so far; a stream begins with the sink (`start_stream`).
            stream: see a whole sequence, sink first, as a stream (training); needs no past.

        Raises:
            InputError: when voices, people, frames or sizes do not fit each other.
        """
        people = scene.people.shape[1]
        if audio.people != people:
            raise InputError(f"{audio.people} voices for {people} people; give one for each person")
        joined = torch.cat([latent, scene.reference.expand(-1, -1, latent.shape[2], -1, -1)], dim=1)
        self.check_chunk(joined, audio.frames, scene.people.shape[2])
        conditions = self.conditions(scene, audio.layers, audio.movement, latent.shape[2])
        grid = self._grid(joined, timestep)
        past = past or KVCache(self.cache_spec())
        self._check_past(past, grid, stream)
        rotation = self.rotation(past.positions(grid.frames), grid, latent.device)
        mask = None
        if stream is not None:
            mask = token_mask(stream.frame_mask(grid.frames), grid.tokens_per_frame)
            mask = mask.to(latent.device)
        layers = [past.layer(index) for index in range(len(self.blocks))]
        view = StreamView(rotation, layers, mask, Concatenated(), self.cfg.timestep_dtype)
        return self.predict(joined, timestep, conditions, view)

    def predict(
        self,
        latent: Tensor,
        timestep: Tensor,
        conditions: Sequence[StudioCondition],
        view: StreamView,
    ) -> Prediction:
        """Predict the velocity of a chunk from tensors alone.

        The network says by what the clean latent differs from the reference picture's, which is
        little; the velocity follows from it.

        Args:
            latent: [B, 2 C, F, h, w], the noisy latent and the reference.
            timestep: [B] or [B, F] in [0, 1000]; below `SMALLEST_NOISE` velocities are too small,
                and at 0, where a clean chunk joins the past, mean nothing.
            conditions: one value per layer.
            view: how the chunk stands in its stream.
        """
        made = super().predict(latent, timestep, conditions, view)
        noisy, reference = latent.chunk(2, dim=1)
        noise = (timestep / FULL_NOISE).clamp(min=SMALLEST_NOISE).to(noisy.dtype)
        noise = noise.reshape(len(noisy), 1, -1, 1, 1)
        return made._replace(velocity=(noisy - reference - made.velocity) / noise)

    def as_stream(self, *, remembers: bool = True) -> BlockCausal:
        """Give the mask rule under which a whole sequence, sink first, equals the stream.

        A stream that does not remember sees the sink and its own chunk alone.
        """
        cfg = self.studio
        window = cfg.window_frames if remembers else 0
        return BlockCausal(
            chunk_frames=cfg.chunk_frames,
            capacity_frames=cfg.sink_frames + window + cfg.chunk_frames,
            sink_frames=cfg.sink_frames,
            is_first_frame_alone=True,
        )

    def start_stream(self, scene: StudioScene) -> KVCache:
        """Give the past of a stream that holds the reference picture and nothing else."""
        people, cfg = scene.people.shape[1], self.studio
        batch = len(scene.reference)
        none = scene.reference.new_zeros
        audio = self.encode_audio(
            none(batch, people, FRAMES_PER_LATENT, cfg.audio_features),
            Motion(
                none(batch, people, FRAMES_PER_LATENT, cfg.motion_channels),
                none(batch, people, FRAMES_PER_LATENT, cfg.motion_groups),
            ),
        )
        clean = self(scene.reference, none(batch), scene, audio)
        past = KVCache(self.cache_spec())
        return past.append(clean.kv, chunk_frames=cfg.sink_frames)
