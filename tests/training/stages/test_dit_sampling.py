from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from engines import sampling as engine
from engines.manifest import Sampling
from models.errors import CheckpointError, ConfigError, InputError
from models.studio.config import Binding
from models.studio.dit import StudioDiT
from models.studio.motion import Motion
from tests.models.studio.sizes import tiny_studio
from training.stages.dit.behind import Left, velocity_behind
from training.stages.dit.lip_r import follow
from training.stages.dit.prediction import scene_of
from training.stages.dit.rollouts import told_of
from training.stages.dit.sampling import (
    SamplingConfig,
    Told,
    euler,
    even_timesteps,
    generate,
    seeded,
)
from training.stages.dit.shipped import read_dit, write_dit
from training.stages.dit.smoke import tiny_studio as doll_studio
from training.stages.dit.windows import Window
from training.stages.dit.words import WordTable

BOTH = pytest.mark.parametrize("binding", list(Binding))
FEW = SamplingConfig(sampler="renoise", timesteps=(1000.0, 900.0, 600.0), context_timestep=100.0)
FRAMES, H, W = 6, 4, 8


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def build(binding: Binding, chunk_frames: int = 1) -> StudioDiT:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = StudioDiT(tiny_studio(binding, chunk_frames))
    return network.eval().requires_grad_(False)


def window(dit: StudioDiT) -> Window:
    """Two people, one of them silent for the first half."""
    cfg, b, t = dit.studio, 2, FRAMES * 4
    people = torch.zeros(b, 2, H, W)
    people[:, 0, :, :2] = people[:, 1, :, 6:] = 1
    return Window(
        latents=noise(b, cfg.latent_channels, FRAMES, H, W, seed=1),
        reference=noise(b, cfg.latent_channels, 1, H, W, seed=2),
        picture=torch.zeros(b, 3, H * 16, W * 16),
        people=people,
        faces=noise(b, 2, 3, cfg.face_side_px, cfg.face_side_px, seed=3),
        features=noise(b, 2, t, cfg.audio_features, seed=4),
        motion=noise(b, 2, t, cfg.motion_channels, seed=5),
        known=(noise(b, 2, t, cfg.motion_groups, seed=6) > 0).float(),
        words=torch.full((b, cfg.text.length), 2),
        weight=torch.ones(b, 1, FRAMES, H, W),
        mouths=torch.zeros(b, 2, t, 2),
        eyes=torch.zeros(b, 2, t, 2),
        gap=torch.zeros(b, 2, t),
        face_widths=torch.ones(b, 2),
    )


@pytest.mark.parametrize("sampler", ["euler", "renoise"])
@pytest.mark.parametrize("timesteps", [(1000.0,), (1000.0, 500.0), even_timesteps(8, 3.0)])
def test_steps_are_those_that_an_engine_plans(sampler: str, timesteps: tuple[float, ...]) -> None:
    ours = SamplingConfig(sampler=sampler, timesteps=timesteps, context_timestep=0.0)  # type: ignore[arg-type]
    assert [tuple(step) for step in ours.steps] == [
        pytest.approx(tuple(step))
        for step in engine.plan(timesteps, sampler)  # type: ignore[arg-type]
    ]
    Sampling(sampler=sampler, schedules=(timesteps,), context_timestep=0.0)  # type: ignore[arg-type]


def as_an_engine(dit: StudioDiT, seen: Window, config: SamplingConfig, seed: int) -> Tensor:
    """Do what engines.architectures.denoiser does with its buffers, on the network itself."""
    rng, place = np.random.default_rng(seed), scene_of(dit, seen)
    steps, size = engine.plan(config.timesteps, config.sampler), dit.studio.chunk_frames
    shape = (*seen.latents.shape[:2], size, H, W)
    past, made = dit.start_stream(place), []
    for first in range(0, FRAMES, size):
        span = slice(4 * first, 4 * (first + size))
        audio = dit.encode_audio(
            seen.features[:, :, span], Motion(seen.motion[:, :, span], seen.known[:, :, span])
        )
        drawn = [
            torch.from_numpy(rng.standard_normal(shape, np.float32))
            for _ in range(engine.noises_needed(steps, config.context_timestep))
        ]
        x, fresh = drawn.pop(0), iter(drawn)
        past = past.make_room(size)
        for step in steps:
            timestep = torch.full((len(x),), step.timestep)
            x = x + step.along * dit(x, timestep, place, audio, past).velocity
            if step.weight:
                x = step.keep * x + step.weight * next(fresh)
        sigma = config.context_timestep / engine.TRAIN_STEPS
        read = (1 - sigma) * x + sigma * next(fresh) if sigma else x
        timestep = torch.full((len(x),), config.context_timestep)
        past = past.append(dit(read, timestep, place, audio, past).kv, size)
        made.append(x)
    return torch.cat(made, dim=2)


@BOTH
@pytest.mark.parametrize("config", [euler(3), FEW])
def test_a_stream_is_sampled_as_an_engine_samples_it(
    binding: Binding, config: SamplingConfig
) -> None:
    dit = build(binding, chunk_frames=2)
    seen, rng = window(dit), np.random.default_rng(9)

    def numbers(shape: torch.Size) -> Tensor:
        return torch.from_numpy(rng.standard_normal(tuple(shape), np.float32))

    made = generate(dit, scene_of(dit, seen), told_of(seen), config, numbers)
    assert torch.allclose(made, as_an_engine(dit, seen, config, 9), atol=1e-4)


@BOTH
@pytest.mark.parametrize("chunk_frames", [1, 2])
def test_frames_behind_a_given_past_are_those_of_a_stream_with_that_past(
    binding: Binding, chunk_frames: int
) -> None:
    dit = build(binding, chunk_frames)
    seen = window(dit)
    left = Left(noise(*seen.latents.shape, seed=7), torch.rand(2, FRAMES // chunk_frames))
    left = left._replace(level=left.level.repeat_interleave(chunk_frames, dim=1))
    noisy, level = noise(*seen.latents.shape, seed=8), torch.rand(2, FRAMES)
    at_once = velocity_behind(dit, seen, left, noisy, level)

    place = scene_of(dit, seen)
    past, pieces = dit.start_stream(place), []
    for first in range(0, FRAMES, chunk_frames):
        frames, span = (
            slice(first, first + chunk_frames),
            slice(4 * first, 4 * (first + chunk_frames)),
        )
        audio = dit.encode_audio(
            seen.features[:, :, span], Motion(seen.motion[:, :, span], seen.known[:, :, span])
        )
        past = past.make_room(chunk_frames)
        made = dit(noisy[:, :, frames], level[:, frames] * 1000, place, audio, past)
        pieces.append(made.velocity)
        read = dit(left.latents[:, :, frames], left.level[:, frames] * 1000, place, audio, past)
        past = past.append(read.kv, chunk_frames)
    relative = (at_once - torch.cat(pieces, dim=2)).norm() / at_once.norm()
    assert relative < 1e-5


def test_guidance_by_the_voice_changes_what_is_made_and_a_scale_of_one_does_not() -> None:
    dit = build(Binding.IDENTITY)
    seen = window(dit)
    scene, told = scene_of(dit, seen), told_of(seen)

    def made(scale: float) -> Tensor:
        config = SamplingConfig(
            sampler="euler", timesteps=(1000.0, 500.0), context_timestep=0.0, audio_scale=scale
        )
        return generate(dit, scene, told, config, seeded(0))

    assert torch.equal(made(1.0), generate(dit, scene, told, euler(2), seeded(0)))
    assert not torch.allclose(made(1.0), made(3.0), atol=1e-3)


def test_half_as_many_even_timesteps_are_every_second_one() -> None:
    assert even_timesteps(8, 3.0)[::2] == pytest.approx(even_timesteps(4, 3.0))
    assert even_timesteps(2) == (1000.0, 500.0)


def test_impossible_samplers_and_voices_are_refused() -> None:
    with pytest.raises(ConfigError, match="fall"):
        SamplingConfig(sampler="euler", timesteps=(500.0, 900.0), context_timestep=0.0)
    dit = build(Binding.IDENTITY, chunk_frames=2)
    seen = window(dit)
    short = Told(seen.features[:, :, :12], Motion(seen.motion[:, :, :12], seen.known[:, :, :12]))
    with pytest.raises(InputError, match="whole number of chunks"):
        generate(dit, scene_of(dit, seen), short, euler(1), seeded(0))


def test_mouths_follow_their_own_voice_late_or_not_at_all() -> None:
    rng = np.random.default_rng(0)
    voices = rng.standard_normal((3, 2, 200)).cumsum(-1)
    late = np.roll(voices, 2, axis=-1)
    assert follow(voices, voices) == pytest.approx((1.0, 0, 1.0))
    assert follow(late, voices).lag_frames == 2
    assert follow(voices[:, ::-1], voices).binding < 0.4
    silent = voices.copy()
    silent[:, 1] = 0
    assert follow(voices, silent).r == pytest.approx(1), "who is silent says nothing"


def test_weights_survive_the_disk_with_their_words(tmp_path: Path) -> None:
    dit = StudioDiT(doll_studio(Binding.LABELS)).eval()
    write_dit(tmp_path, dit, WordTable(["a", "doll"], 6), {"steps": 3})
    again = read_dit(tmp_path)
    assert again.words.words == ("a", "doll")
    assert again.preset == "dolls"
    assert again.facts == {"steps": 3}
    for name, tensor in again.dit.state_dict().items():
        assert torch.allclose(tensor, dit.state_dict()[name], atol=1e-3), name
    (tmp_path / "dit.json").unlink()
    with pytest.raises(CheckpointError, match="cannot read the transformer"):
        read_dit(tmp_path)
