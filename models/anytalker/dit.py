"""AnyTalker's transformer in both published forms: any number of people, a clip or a stream.

Shape letters: B batch, P people, F latent frames, h and w latent size, T video frames, N tokens,
L CLIP tokens.
Source: AnyTalker (arXiv 2511.23475), repository HKUST-C4G/AnyTalker.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor

from models.anytalker.condition import FaceKV, IdentityCondition, VoiceKV
from models.anytalker.config import AnyTalkerConfig, AudioBinding
from models.anytalker.joint import JointAttention, JointBlock
from models.anytalker.legacy import FaceAudioAttention, LegacyBlock
from models.audio_projection import FrameAudioProjection, LatentAudioProjection
from models.errors import InputError
from models.people import check_people
from models.wan.attention import TextImageAttention, TextImageKV
from models.wan.dit import Prediction, WanBackbone, WanBlock
from models.wan.kv_cache import KVCache
from models.wan.layers import TokenProjection
from models.wan.masks import BlockCausal


class AnyTalkerScene(NamedTuple):
    """What stays while prompt, picture and faces stay."""

    layers: tuple[TextImageKV, ...]
    faces: tuple[FaceKV, ...]
    masks: Tensor  # [B, P, h / 2 * w / 2], in [0, 1]


class AnyTalkerAudio(NamedTuple):
    """The voices of one chunk."""

    layers: tuple[VoiceKV, ...]
    people: int
    frames: int  # latent frames covered
    starts_stream: bool


class AnyTalkerDiT(WanBackbone[IdentityCondition]):
    """Identity-aware attention; every (face, voice) pair is one more row of a batch."""

    def __init__(self, cfg: AnyTalkerConfig) -> None:
        super().__init__(cfg.wan, _blocks(cfg))
        self.anytalker = cfg
        image_dim = cast(int, cfg.wan.image_dim)  # the config refuses None
        self.audio_ref_emb = TokenProjection(image_dim, cfg.wan.dim)
        if cfg.binding is AudioBinding.JOINT:
            self.audio_emb = FrameAudioProjection(cfg.audio)
        else:
            self.audio_proj = LatentAudioProjection(cfg.audio)

    def encode_scene(
        self,
        prompts: Sequence[Tensor],
        image_tokens: Tensor,
        face_tokens: Tensor,
        face_masks: Tensor,
    ) -> AnyTalkerScene:
        """Compute what does not change while prompt, picture and faces stay, once for all steps.

        Args:
            prompts: one [L, text_dim] per batch entry, real tokens only.
            image_tokens: CLIP tokens [B, L, image_dim] of the whole picture.
            face_tokens: CLIP tokens [B, P, L, image_dim] of each face crop.
            face_masks: [B, P, h / 2, w / 2], how much each token belongs to each person, in [0, 1].

        Raises:
            InputError: when faces and masks differ in number, or a mask is empty or not finite.
        """
        if face_tokens.ndim != 4 or face_tokens.shape[-1] != self.cfg.image_dim:
            raise InputError(
                f"face tokens have shape {tuple(face_tokens.shape)}, expected [B, people, L, "
                f"{self.cfg.image_dim}]"
            )
        check_people(face_masks, face_tokens.shape[1])
        text, image = self.embed_text(prompts), self.embed_image(image_tokens)
        if self.anytalker.binding is AudioBinding.LEGACY:
            # The published 14B text branch sees the picture's tokens as if they were text, too.
            text = torch.cat([image, text], dim=1)
        faces = self.audio_ref_emb(face_tokens)
        return AnyTalkerScene(
            tuple(cross.project(text, image) for cross in self._cross_attentions()),
            tuple(audio.project_faces(faces) for audio in self._audio_attentions()),
            face_masks.float().flatten(2),
        )

    def encode_audio(self, windows: Tensor, *, starts_stream: bool = True) -> AnyTalkerAudio:
        """Compute a chunk's audio keys and values, once for all denoising steps.

        Args:
            windows: [B, P, T, W, L, C]; T is 1 + 4 (F - 1) at the start of a stream, 4 F later.
            starts_stream: whether the first of these video frames is the first of the stream.

        Raises:
            InputError: when windows do not fit or hold NaN.
        """
        is_joint = self.anytalker.binding is AudioBinding.JOINT
        projection = self.audio_emb if is_joint else self.audio_proj
        tokens = projection(windows, starts_stream=starts_stream)
        layers = tuple(audio.project_voices(tokens) for audio in self._audio_attentions())
        stride = self.anytalker.audio.frame_stride
        t = windows.shape[2]
        frames = (t - 1) // stride + 1 if starts_stream else t // stride
        return AnyTalkerAudio(layers, windows.shape[1], frames, starts_stream)

    def forward(
        self,
        latent: Tensor,
        timestep: Tensor,
        scene: AnyTalkerScene,
        audio: AnyTalkerAudio,
        past: KVCache | None = None,
        stream: BlockCausal | None = None,
    ) -> Prediction:
        """Predict the velocity of a chunk with its voices.

        Args:
            latent: [B, 36, F, h, w]: noisy latent 16, mask 4, image latent 16.
            timestep: [B] or [B, F] in [0, 1000].
            scene: from `encode_scene`.
            audio: from `encode_audio`, voice i for face i.
            past: the stream so far.
            stream: see a whole sequence as a stream of chunks (training).

        Raises:
            InputError: when voices, faces, frames or sizes do not fit each other.
        """
        people = scene.masks.shape[1]
        if audio.people != people:
            raise InputError(f"{audio.people} voices for {people} faces; give one for each face")
        self.check_chunk(latent, audio.frames, scene.masks.shape[2])
        conditions = self._conditions(scene, audio, latent.shape[2], stream)
        return self.denoise(latent, timestep, conditions, past, stream)

    def _conditions(
        self, scene: AnyTalkerScene, audio: AnyTalkerAudio, frames: int, stream: BlockCausal | None
    ) -> list[IdentityCondition]:
        first_sees = self._first_sees(frames, stream) if audio.starts_stream else 0
        latent_tokens = self.anytalker.audio.frame_stride * self.anytalker.audio.tokens
        masks = scene.masks.repeat(1, 1, frames)
        return [
            IdentityCondition(text_image, faces, voices, masks, frames, first_sees, latent_tokens)
            for text_image, faces, voices in zip(
                scene.layers, scene.faces, audio.layers, strict=True
            )
        ]

    def _first_sees(self, frames: int, stream: BlockCausal | None) -> int:
        """Count the audio tokens the first latent frame of a stream sees: those of its chunk."""
        cfg = self.anytalker.audio
        chunk = frames if stream is None else stream.chunk_sizes(frames)[0]
        return (1 + (chunk - 1) * cfg.frame_stride) * cfg.tokens

    def _cross_attentions(self) -> list[TextImageAttention]:
        return [cast(TextImageAttention, block.cross_attn) for block in self.blocks]

    def _audio_attentions(self) -> list[JointAttention | FaceAudioAttention]:
        if self.anytalker.binding is AudioBinding.JOINT:
            return [cast(JointAttention, block.cross_attn) for block in self.blocks]
        return [cast(FaceAudioAttention, block.audio_cross_attn) for block in self.blocks]


def _blocks(cfg: AnyTalkerConfig) -> list[WanBlock[IdentityCondition]]:
    if cfg.binding is AudioBinding.JOINT:
        return [JointBlock(cfg.wan) for _ in range(cfg.wan.layers)]
    return [
        LegacyBlock(cfg.wan, cfg.audio.out_dim, is_query_normed=cfg.is_audio_query_normed)
        for _ in range(cfg.wan.layers)
    ]
