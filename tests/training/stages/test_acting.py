from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from models.errors import CheckpointError, InputError
from models.studio.acting import ActingNetwork
from models.studio.acting_config import ACTED
from training.cli import app
from training.runs.config_file import read_config
from training.runs.folder import RunFolder
from training.stages.acting.acting_cli import SMOKE
from training.stages.acting.measures import Shown, blinks, compare, nodding, turn_to_speaker
from training.stages.acting.rehearsal import HEAD_LIMITS_RAD, rehearse, short_words
from training.stages.acting.rehearsal_folder import RehearsalFolder
from training.stages.acting.shipped import read_acting
from training.stages.acting.task import ActingStageConfig, cut, spread_of
from training.stages.dit.words import WORD, WordTable
from training.studio.performance_data import ARKIT
from training.studio.speech.catalogue import OPENERS
from training.studio.speech.voices import Catalogue, open_sources

AUDIO = Path(__file__).parents[3] / "training/weights/studio/audio_encoder.safetensors"
BLINK = ACTED.index(ARKIT.index("eyeBlinkLeft"))
CHANNELS = len(ACTED)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("acting") / "run"
    made = CliRunner().invoke(
        app, ["acting", "--smoke", "--audio", str(AUDIO), "--out", str(folder)]
    )
    assert made.exit_code == 0, made.output
    return folder


def test_the_network_learns_to_act(run: Path) -> None:
    """150 steps on three minutes of dialogue: velocities are found, faces and heads move."""
    log = RunFolder(run).read_log()
    losses = [line["loss"] for line in log if line["kind"] == "loss"]
    assert losses[-1] < 0.85 * losses[0]
    (end,) = [line for line in log if line["kind"] == "measure"]
    assert end["blinks_per_minute_made"] > 0.1 * end["blinks_per_minute_true"]
    assert 0.2 < end["yaw_deviation_made"] / end["yaw_deviation_true"] < 3


def test_a_network_survives_the_disk_with_its_words(run: Path) -> None:
    trained = read_acting(run)
    assert {"left", "both", "nodding"} <= set(trained.words.words)
    assert trained.network.deviation.min() > 0
    assert read_acting(run / "acting.safetensors").words.words == trained.words.words
    described = json.loads((run / "acting.json").read_text())
    assert described["network"]["words"] >= len(trained.words.words) + 2
    with pytest.raises(CheckpointError, match="give the folder of a run"):
        read_acting(run / "rehearsals")


def test_a_folder_of_dialogues_is_made_once_and_refuses_other_settings(run: Path) -> None:
    settings = read_config(SMOKE, ActingStageConfig).rehearsals
    folder = RehearsalFolder(run / "rehearsals", settings)
    heard = folder.read("train", 0.01)
    assert {len(each.acting) for each in heard} <= {1, 2}
    assert all(each.features.shape[:2] == each.acting.shape[:2] for each in heard)
    assert all(each.prompts[0][0] == 0 for each in heard)
    with pytest.raises(InputError, match="holds other dialogues"):
        RehearsalFolder(run / "rehearsals", dataclasses.replace(settings, seconds=9.0))


def test_windows_hold_the_prompt_of_their_time(run: Path) -> None:
    config = read_config(SMOKE, ActingStageConfig)
    heard = RehearsalFolder(run / "rehearsals", config.rehearsals).read("train", 0.01)[0]
    heard = heard._replace(prompts=((0, 40, "nodding"), (40, 200, "smiling")))
    words = WordTable(["nodding", "smiling"], config.network.length)
    network = ActingNetwork(config.network)
    window = cut(heard, network, words, config.windows, 8, no_words=False)
    assert window.tokens[:, 0].tolist()[:2] == [2, 3]
    assert window.said.tolist() == [0] * 2 + [1] * (config.windows.chunks - 2)
    silent = cut(heard, network, words, config.windows, 8, no_words=True)
    assert silent.tokens.abs().max() == 0
    whole = torch.from_numpy(heard.acting.astype(np.float32))
    assert torch.equal(window.values, whole[:, 32 : 32 + 4 * config.windows.chunks])
    assert torch.equal(window.before, network.normalized(whole[:, 28:32])[:, 0])


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue(open_sources([OPENERS["espeak"]]), "train")


def test_heads_are_told_from_where_they_face_the_camera(catalogue: Catalogue) -> None:
    """Somebody alone mostly looks at the camera: then nothing is turned."""
    made = [rehearse(1, 8.0, np.random.default_rng(k), catalogue) for k in range(6)]
    yaw = np.concatenate([each.acting[0, :, -3] for each in made])
    assert abs(float(np.median(yaw))) < 0.06
    pair = [rehearse(2, 8.0, np.random.default_rng(k), catalogue) for k in range(4)]
    turned = np.stack([each.acting[:, :, -3].mean(1) for each in pair])
    assert (turned[:, 0] > turned[:, 1]).all(), "the left one turns right, the right one left"
    assert np.abs(np.concatenate([e.acting for e in pair])[..., -3:]).max() <= HEAD_LIMITS_RAD.max()


def test_short_prompts_are_made_of_words_in_the_table(catalogue: Catalogue) -> None:
    known = {word for text in short_words() for word in WORD.findall(text.lower())}
    texts = [
        each.text
        for k in range(30)
        for each in rehearse(2, 4.0, np.random.default_rng(k), catalogue).prompts
        if "man" not in each.text and "person" not in each.text
    ]
    assert texts
    assert {word for text in texts for word in WORD.findall(text.lower())} <= known


def test_measures_tell_blinking_nodding_and_turning() -> None:
    still = np.zeros((2, 200, CHANNELS), np.float32)
    blinking = still.copy()
    blinking[:, 20:24, BLINK] = blinking[0, 80:84, BLINK] = 0.9
    assert (blinks(still), blinks(blinking)) == (0, 3)
    nods = still.copy()
    nods[..., -2] = 0.1 * np.sin(np.arange(200) / 25 * 2 * np.pi * 1.5)
    slow = still.copy()
    slow[..., -2] = 0.1 * np.sin(np.arange(200) / 25 * 2 * np.pi * 0.2)
    assert nodding(nods) > 0.06
    assert nodding(slow) < 0.01
    speaking = np.zeros((2, 200), np.bool_)
    speaking[1, 40:160] = True
    turned = still.copy()
    turned[0, :, -3] = 0.2
    assert turn_to_speaker(turned, speaking) == pytest.approx(0.2)
    assert turn_to_speaker(turned, ~speaking & False) is None
    shown = [Shown(turned, blinking, speaking, "nodding"), Shown(still, still, speaking, "")]
    found = compare(shown)
    assert found["blinks_per_minute_made"] == 0 < found["blinks_per_minute_true"]
    assert found["turn_to_speaker_made"] == pytest.approx(0.1)


def test_channels_that_never_move_do_not_blow_up(run: Path) -> None:
    config = read_config(SMOKE, ActingStageConfig)
    heard = RehearsalFolder(run / "rehearsals", config.rehearsals).read("train", 0.01)
    frozen = [each._replace(acting=each.acting * 0) for each in heard]
    spread = spread_of(frozen)
    assert spread.deviation.min() >= 0.02
    assert spread.most_turned.max() == 0
