"""The audio encoder's training task: settings, learner, losses.

Shape letters: B batch, T video frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.errors import ConfigError
from models.studio.audio_config import AudioEncoderConfig
from models.studio.audio_encoder import AudioEncoder
from training.runs.draw import Draw
from training.runs.folder import RunFolder
from training.runs.loop import LoopConfig
from training.stages.audio.measures import Hearing, measure_all
from training.stages.audio.mel_augmentation import MelAugmentation, change
from training.stages.audio.mel_bank import MelBank
from training.stages.audio.track_folder import FolderConfig
from training.stages.audio.tracks import CURVES, PHONE_NAMES


@dataclass(frozen=True, slots=True, kw_only=True)
class LossConfig:
    """What counts how much. Curves are measured in their standard deviations."""

    batch: int
    frames: int  # of one example
    settling_frames: int  # at an example's start that are not judged: the past is missing
    least_deviation: float  # a curve that hardly moves counts as if it moved this much
    gap: float  # of the lip gap, relative to one curve
    shut: float  # of the lip gap where lips are shut, beyond that
    motion: float  # of differences between frames
    phone: float  # of saying which phone sounds
    pitch: float  # of saying how high the voice is

    def __post_init__(self) -> None:
        if not 0 <= self.settling_frames < self.frames or self.batch < 1:
            raise ConfigError(
                f"settling_frames={self.settling_frames} must be below frames={self.frames} and "
                f"batch={self.batch} at least 1"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioStageConfig:
    """Everything that decides a run."""

    tracks: FolderConfig
    encoder: AudioEncoderConfig
    augmentation: MelAugmentation
    losses: LossConfig
    loop: LoopConfig

    def __post_init__(self) -> None:
        if self.encoder.curves != CURVES:
            raise ConfigError(f"tracks have {CURVES} curves, the encoder {self.encoder.curves}")


class Learner(nn.Module):
    """The encoder with two heads that only training needs.

    Which phone sounds and how high: so that the features tell more of a voice than the mouth.
    """

    def __init__(self, config: AudioEncoderConfig) -> None:
        super().__init__()
        self.encoder = AudioEncoder(config)
        self.to_phones = nn.Linear(config.features, len(PHONE_NAMES))
        self.to_pitch = nn.Linear(config.features, 2)  # octaves, and whether voiced

    def forward(self, mels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give curves [B, T, 53], phones [B, T, 41] and pitch [B, T, 2].

        Log-mels [B, M, (T + look-ahead) * 4] begin with a past of zeros.
        """
        state = self.encoder.zero_state(len(mels))[1:]
        frames, _ = self.encoder.listen(mels, state)
        late = self.encoder.config.look_ahead_frames
        heard = nn.functional.gelu(frames.features[:, late:])
        return frames.curves[:, late:], self.to_phones(heard), self.to_pitch(heard)


class AudioTask:
    """What the training loop asks of this stage."""

    adam_names: tuple[str, ...] = ("encoder.down1", "encoder.to_curves", "to_phones", "to_pitch")

    def __init__(self, config: AudioStageConfig, bank: MelBank, hearing: Hearing) -> None:
        self.config, self.bank, self.hearing = config, bank, hearing
        with torch.random.fork_rng(devices=[]):  # initial weights follow from the seed alone
            torch.random.manual_seed(config.loop.seed)
            self.network: Learner = Learner(config.encoder)
        self.samples_per_step = config.losses.batch
        deviations = torch.from_numpy(bank.deviations())
        self._weights = 1 / deviations.clamp_min(config.losses.least_deviation)
        self._weights[deviations < 1e-3] = 1.0  # never moves: the bias learns it, slowly is enough
        self._weights *= len(self._weights) / self._weights.sum()
        self._weights[-1] *= config.losses.gap

    def losses(self, draw: Draw) -> Mapping[str, Tensor]:
        config = self.config.losses
        cut = self.bank.cut(config.batch, config.frames, draw.numpy)
        noises = self.bank.cut_noise(config.batch, cut.mels.shape[2], draw.numpy)
        changed = change(cut.mels, noises, self.config.augmentation, draw.numpy)
        device = draw.torch.device
        voiced = (~changed.is_noise_only)[:, None]
        phones = torch.from_numpy(cut.phones) * voiced  # index 0 is silence
        pitch = torch.from_numpy(cut.pitch).masked_fill(~voiced, torch.nan)
        targets = torch.from_numpy(cut.targets) * voiced[:, :, None]
        said = self.network(changed.mels.to(device))
        return self._losses(said, targets.to(device), phones.to(device), pitch.to(device))

    def _losses(
        self, said: tuple[Tensor, Tensor, Tensor], targets: Tensor, phones: Tensor, pitch: Tensor
    ) -> dict[str, Tensor]:
        config = self.config.losses
        first = config.settling_frames
        curves, logits, sung = (each.float()[:, first:] for each in said)
        targets, phones, pitch = targets[:, first:], phones[:, first:], pitch[:, first:]
        error = (curves - targets) * self._weights.to(curves.device)
        is_shut = (targets[..., -1] < 0).float()
        shape = error.abs().mean() + config.shut * (error[..., -1].abs() * is_shut).mean()
        motion = error.diff(dim=1).abs().mean()
        phone = F.cross_entropy(logits.flatten(0, 1), phones.flatten())
        is_voiced = ~pitch.isnan()
        height = (sung[..., 0] - pitch.nan_to_num(0.0)).abs() * is_voiced
        voicing = F.binary_cross_entropy_with_logits(sung[..., 1], is_voiced.float())
        tone = height.mean() + voicing
        total = shape + config.motion * motion + config.phone * phone + config.pitch * tone
        return {"loss": total, "shape": shape, "motion": motion, "phone": phone, "pitch": tone}

    def measure(self, network: Learner, folder: RunFolder, steps: int) -> Mapping[str, float]:
        return measure_all(network.encoder, self.hearing).numbers()
