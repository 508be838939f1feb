from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from models.encoders.clip import ClipConfig, ClipImageTower
from models.errors import InputError
from models.multitalk.clip_plan import Clip, ClipLayout, clip_windows, plan_clips
from models.multitalk.clip_stream import (
    ClipSettings,
    Networks,
    Performance,
    make_clip,
    seeded_noise,
    stream_clips,
)
from models.people import with_background
from models.sampling.guidance import TextAudioScales, multitalk_apg
from models.sampling.schedules import multitalk_schedule
from models.vae.config import WanVAEConfig
from models.vae.wan_vae import WanVAE
from tests.models import tiny

SETTINGS = ClipSettings(
    layout=ClipLayout(frames=9, motion_frames=5),
    schedule=multitalk_schedule(2, 3.0),
    scales=TextAudioScales(text=3.0, audio=2.0),
    apg=None,
    color_strength=0.0,
)


@pytest.fixture(scope="module")
def networks() -> Networks:
    vae = WanVAE(
        WanVAEConfig(
            dim=4,
            z_dim=16,
            dim_mult=(1, 1, 1, 1),
            num_res_blocks=1,
            temporal_downsample=(False, True, True),
            latent_mean=(0.0,) * 16,
            latent_std=(1.0,) * 16,
        )
    )
    clip = ClipImageTower(
        ClipConfig(
            image_px=8,
            patch_px=4,
            channels=12,
            feedforward_channels=12,
            output_channels=4,
            heads=2,
            layers=2,
            norm_eps=1e-5,
        )
    )
    return Networks(tiny.multitalk(), tiny.randomized(vae), tiny.randomized(clip))


def performance(people: int, seed: int = 5) -> Performance:
    rng = tiny.generator(seed)
    return Performance(
        picture=torch.rand(3, 32, 64, generator=rng) * 2 - 1,
        prompt=torch.randn(4, 10, generator=rng),
        negative_prompt=torch.randn(3, 10, generator=rng),
        voices=[torch.randn(14, 2, 4, generator=rng) for _ in range(people)],
        regions=with_background(tiny.columns(people, 4, 8)) if people > 1 else None,
    )


def video(
    networks: Networks, shown: Performance, settings: ClipSettings = SETTINGS, seed: int = 3
) -> Tensor:
    noise = seeded_noise(tiny.generator(seed), settings.schedule.steps)
    return torch.cat(list(stream_clips(networks, settings, shown, noise, 100)), dim=1)


@pytest.mark.parametrize("people", [1, 2, 3])
def test_a_video_is_as_long_as_its_plan_for_any_number_of_people(
    networks: Networks, people: int
) -> None:
    made = video(networks, performance(people))
    assert made.shape == (3, 17 - (17 - 14 + 3), 32, 64)
    assert torch.isfinite(made).all()
    assert made.abs().max() <= 1


def test_a_later_clip_is_made_from_the_last_frames_before_it(networks: Networks) -> None:
    shown, settings = performance(2), SETTINGS
    plan = plan_clips([14, 14], settings.layout, 100)
    noise = seeded_noise(tiny.generator(3), settings.schedule.steps)
    given, made = shown.picture[:, None], []
    for index, clip in enumerate(plan.clips):
        told = (clip, given, clip_windows(shown.voices, plan, index))
        with torch.no_grad():
            made.append(make_clip(networks, settings, shown, told, noise))
        given = made[-1][:, -5:]
    by_hand = torch.cat([made[0], *(clip[:, 5:] for clip in made[1:])], dim=1)
    streamed = video(networks, shown)
    assert torch.equal(streamed, by_hand[:, : streamed.shape[1]])


def test_motion_frames_stay_what_they_were(networks: Networks) -> None:
    """At the last noise level, which is clean, the given latent frames are the given ones."""
    shown, clip = performance(1), Clip(4, 13, 5)
    given = torch.rand(3, 5, 32, 64, generator=tiny.generator()) - 0.5
    told = (clip, given, torch.zeros(1, 9, 5, 2, 4))
    with torch.no_grad():
        made = make_clip(networks, SETTINGS, shown, told, seeded_noise(tiny.generator(), 2))
        padded = torch.cat([given, torch.zeros(3, 4, 32, 64)], dim=1)[None]
        reconstructed = networks.vae.decode(networks.vae.encode(padded))[0].clamp(-1, 1)
    torch.testing.assert_close(made[:, :5], reconstructed[:, :5])
    assert not torch.allclose(made[:, 5:], reconstructed[:, 5:])


def test_two_interleaved_streams_equal_two_alone_bit_for_bit(networks: Networks) -> None:
    shown = [performance(2, seed) for seed in (1, 2)]
    streams = [
        stream_clips(networks, SETTINGS, each, seeded_noise(tiny.generator(seed), 2), 100)
        for seed, each in enumerate(shown)
    ]
    clips: list[list[Tensor]] = [[], []]
    for _ in range(3):
        for index, stream in enumerate(streams):
            clips[index] += [clip for clip in [next(stream, None)] if clip is not None]
    for seed, each in enumerate(shown):
        assert torch.equal(torch.cat(clips[seed], dim=1), video(networks, each, seed=seed))


def test_the_prompt_the_voice_and_apg_change_the_video(networks: Networks) -> None:
    shown = performance(2)
    base = video(networks, shown)
    variants = [
        video(networks, shown._replace(prompt=shown.prompt + 1)),
        video(networks, shown._replace(voices=[shown.voices[0], shown.voices[1] + 1])),
        video(networks, shown, replace(SETTINGS, apg=multitalk_apg())),
        video(networks, shown, replace(SETTINGS, scales=TextAudioScales(1.0, 2.0))),
        video(networks, shown, replace(SETTINGS, color_strength=1.0)),
    ]
    for variant in variants:
        assert not torch.allclose(variant, base, atol=1e-4)


def test_later_audio_never_changes_an_earlier_clip(networks: Networks) -> None:
    shown = performance(2)
    changed = [voice.clone() for voice in shown.voices]
    for voice in changed:
        voice[11:] += 1  # the windows of the first clip end at frame 10
    first = SETTINGS.layout.frames
    before, after = video(networks, shown), video(networks, shown._replace(voices=changed))
    assert torch.equal(before[:, :first], after[:, :first])
    assert not torch.equal(before, after)


def test_every_person_needs_a_voice(networks: Networks) -> None:
    shown = performance(2)
    with pytest.raises(InputError, match="1 voices for 2 people"):
        video(networks, shown._replace(voices=shown.voices[:1]))
