from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from models.errors import InputError
from models.studio.config import Binding
from models.studio.dit import StudioDiT
from training.cli import app
from training.runs.config_file import read_config
from training.runs.draw import Draw
from training.runs.folder import RunFolder
from training.stages.dit.prediction import noised, predict_clean
from training.stages.dit.shipped import read_dit, read_start
from training.stages.dit.smoke import tiny_studio
from training.stages.dit.task import Denoising, draw_levels
from training.stages.dit.windows import ClipBank
from training.stages.dit.words import WordTable
from training.stages.latents.encoded import EncodedClip
from training.stages.multi.config import MultiStageConfig, train_only
from training.stages.multi.multi_cli import HERE, SMOKE
from training.stages.multi.scenes import SceneConfig, SceneSource, SideBySideBank
from training.stages.multi.side_by_side import beside, held_still, panel, quiet_starts

WORDS = WordTable(["a", "doll", "talking", "left", "right", ":"], 6)


@pytest.fixture(scope="module")
def multi_run(single_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("multi")
    command = ["multi", "--smoke", "--out", str(out), "--start", str(single_run)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture(scope="module")
def dolls(single_run: Path) -> ClipBank:
    return ClipBank([single_run / "dolls"])


def source(dolls: ClipBank, **changed: object) -> SceneSource:
    settings = read_config(SMOKE, MultiStageConfig)
    config = SceneConfig(
        people_shares=changed.get("people_shares", (0.0, 1.0)),  # type: ignore[arg-type]
        panel=4,
        listener=float(changed.get("listener", 0.0)),  # type: ignore[arg-type]
        true_share=0.0,
    )
    return SceneSource(dolls, None, WORDS, config, settings.windows)


def test_two_dolls_in_one_picture_each_follow_their_own_voice(multi_run: Path) -> None:
    start, *_, end = [
        line for line in RunFolder(multi_run).read_log() if line["kind"] in ("start", "measure")
    ]
    for kind in ("_2", "_scenes"):
        assert end[f"binding{kind}"] >= 0.9
        assert end[f"rollout_r{kind}"] > 0.7 * end[f"rollout_r_true{kind}"]
        assert abs(end[f"rollout_r_shuffled{kind}"]) < 0.25
    assert end["error_0.6"] < 0.98 * start["error_0.6"], "what the stage trains on gets better"
    assert end["lip_r_voice"] > start["lip_r_voice"]
    assert read_dit(multi_run).facts["stage"] == "multi, all"


def test_panels_keep_everybody_where_and_when_they_are(dolls: ClipBank) -> None:
    clips = [dolls[0], dolls[1], dolls[2]]
    wide = beside([panel(clip, 2, 6, 4, 1) for clip in clips])
    assert wide.people == 3
    assert wide.latents.shape == (6, 8, 4, 12)
    for person, clip in enumerate(clips):
        columns, pixels = slice(4 * person, 4 * person + 4), slice(64 * person, 64 * person + 64)
        assert np.array_equal(wide.latents[..., columns], clip.latents[2:8])
        assert np.array_equal(wide.pictures[0][:, pixels], clip.pictures[1])
        assert np.array_equal(wide.features[person], clip.features[0, 8:32])
        assert np.allclose(wide.mouths[person] - [64 * person, 0], clip.mouths[0, 8:32])
        regions = wide.regions[0, person]
        assert np.array_equal(
            regions[:, columns.start // 2 : columns.stop // 2], clip.regions[1, 0]
        )
        assert regions.sum() == clip.regions[1, 0].sum(), "nothing of a person is elsewhere"


def test_a_narrow_panel_follows_the_face() -> None:
    clip = made_up(width=12, mouth_px=150.0)
    cut = panel(clip, 0, 4, 4, 0)
    assert cut.latents.shape[3] == 4
    assert 0 < cut.mouths[0, 0, 0] < 64
    left = int((150.0 - cut.mouths[0, 0, 0]) / 16)
    assert left % 2 == 0
    assert np.array_equal(cut.latents, clip.latents[:4, :, :, left : left + 4])


def test_people_of_different_height_cannot_stand_side_by_side(dolls: ClipBank) -> None:
    with pytest.raises(InputError, match="one height"):
        beside([panel(dolls[0], 0, 4, 4, 0), panel(made_up(width=12, mouth_px=90), 0, 4, 4, 0)])
    with pytest.raises(InputError, match="a panel of 4"):
        panel(beside([panel(dolls[k], 0, 4, 4, 0) for k in (0, 1)]), 0, 4, 4, 0)


def test_listeners_are_silent_stretches_or_else_stand_still(dolls: ClipBank) -> None:
    clip = made_up(width=8, mouth_px=60)
    clip.motion[0, :16, 52] = 0
    clip.heard[0, :16, 52] = 0
    assert quiet_starts(clip, 3) == [0, 1]
    assert quiet_starts(clip, 5) == []
    still = held_still(clip, 5)
    assert still.latents.shape[0] == 5
    assert (still.latents == still.latents[:1]).all()
    assert (still.heard[0, :, 52] == 0).all()
    window = source(dolls, listener=1.0)(Draw(0, 0, 0, torch.device("cpu")))
    moves = window.gap.std(-1) > 0.02
    assert (moves.sum(1) == 1).all(), "one speaks and the other listens"


def test_batches_have_as_many_people_as_shares_say(dolls: ClipBank) -> None:
    draws = [Draw(0, 0, k, torch.device("cpu")) for k in range(30)]
    drawn = source(dolls, people_shares=(0.0, 0.5, 0.0, 0.5))
    people = [drawn(draw).people for draw in draws]
    assert {each.shape[1] for each in people} == {2, 4}
    assert all(each.shape[3] == 4 * each.shape[1] for each in people)
    assert {each.shape[0] for each in people} == {6, 3}, "at the same cost"


def test_without_true_scenes_pairs_are_made_of_single_clips(dolls: ClipBank) -> None:
    bank = SideBySideBank([dolls[0], dolls[1]], 2, 4)
    assert len(bank) == 2
    assert bank[1].people == 2
    assert np.array_equal(bank[1].latents[..., :4], dolls[1].latents)
    assert np.array_equal(bank[1].latents[..., 4:], dolls[0].latents)


@pytest.mark.parametrize("binding", list(Binding))
def test_multitalks_way_moves_audio_attention_and_adapter_alone(
    binding: Binding, dolls: ClipBank
) -> None:
    settings = read_config(HERE / "multitalk.toml", MultiStageConfig)
    assert settings.trained == "audio"
    assert settings.scenes.true_share == 1
    dit = StudioDiT(tiny_studio(binding))
    names = train_only(dit, settings.trained)
    assert 0 < len(names) < len(list(dit.parameters()))
    draw = Draw(0, 0, 0, torch.device("cpu"))
    window = source(dolls)(draw)
    level = draw_levels(settings.noise, (len(window.latents), window.latents.shape[2]), draw)
    noisy = noised(window.latents, level, torch.randn(window.latents.shape))
    made = predict_clean(dit, window, noisy, level)
    denoising = Denoising(settings.noise, settings.losses)
    denoising(made - window.latents, level, window.weight)["loss"].backward()
    moved = {name for name, p in dit.named_parameters() if p.grad is not None and p.grad.any()}
    assert moved == set(names)
    assert all("hearing" in n or "norm_x" in n or n.startswith("audio_tokens") for n in names)


@pytest.mark.parametrize(
    "way", ["anytalker", "multitalk", "cells", "cells_anytalker", "cells_multitalk"]
)
def test_settings_of_both_ways_read_and_keep_examples_without_voices(way: str) -> None:
    settings = read_config(HERE / f"{way}.toml", MultiStageConfig)
    assert settings.windows.no_voice > 0
    assert settings.windows.no_prompt > 0


def test_weights_of_another_binding_are_refused(single_run: Path) -> None:
    with pytest.raises(InputError, match="binds voices by identity, this stage by labels"):
        read_start(single_run, Binding.LABELS)


def made_up(width: int, mouth_px: float) -> EncodedClip:
    """Give a clip of six latent frames whose one person never shuts up."""
    rng, frames = np.random.default_rng(0), 24

    def half(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float16]]:
        return rng.uniform(0.3, 1, shape).astype(np.float16)

    mouths = np.full((1, frames, 2), [mouth_px, 40.0], np.float32)
    return EncodedClip(
        latents=half(6, 8, 6, width),
        stills=half(2, 8, 6, width),
        still_frames=np.array([0, 20], np.int32),
        still_heads=half(2, 1, 3),
        pictures=np.zeros((2, 96, 16 * width, 3), np.uint8),
        faces=np.zeros((2, 1, 16, 16, 3), np.uint8),
        regions=half(2, 1, 3, width // 2),
        features=half(1, frames, 128),
        heard=half(1, frames, 53),
        motion=half(1, frames, 56),
        mouths=mouths,
        eyes=np.repeat(mouths[:, :, None], 2, axis=2),
        face_widths=np.array([40.0], np.float32),
        prompts=(),
    )
