from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engines.manifest import ArtifactError, CellRule, cut_strip, squares_around
from export.conversations import copy_conversations, read_conversation
from export.drafts import Desk, draft_piece, reference_calls
from export.errors import RequestError
from export.recipes import recipe
from export.request import ExportRequest, Target, parse_size
from export.rollout import RollPlan
from export.scenes import copy_scenes, read_scenes
from export.shapes import ChunkShape
from export.studio import (
    SHOWN_CALLS,
    SPEECH_TOLD,
    acting_network,
    picture_networks,
    shown_pictures,
    swayed,
)
from export.weights import Weights
from models.studio.acting import ActingNetwork
from models.studio.acting_config import studio_acting
from models.studio.config import SPEECH_CURVES
from models.studio.still_reader import EXPRESSIONS, StillReader
from models.studio.vae import StudioVAE
from models.studio.vae_config import studio_vae
from models.studio.warp import neighbors


def scene(folder: Path, name: str, *, width: int = 64, height: int = 32) -> Path:
    made = folder / name
    made.mkdir(parents=True)
    rows, columns = np.mgrid[:32, :64]
    picture = np.stack([rows * 8, columns * 4, rows + columns], -1).astype(np.uint8)
    Image.fromarray(picture).save(made / "picture.png")
    size = {"people": 2, "width": width, "height": height}
    boxes = [[2.0, 2.0, 26.0, 28.0], [34.0, 2.0, 58.0, 28.0]]
    facts = {"name": name, "size": size, "boxes": boxes, "prompt": "", "people_names": []}
    (made / "scene.json").write_text(json.dumps(facts))
    return made


def request(out: Path, **changed: object) -> ExportRequest:
    plain = ExportRequest(
        preset="studio",
        weights=Weights(directory=None, seed=1),
        target=Target.ONNX,
        precision="int8",
        out=out,
        sizes=(parse_size("64x32x2"),),
        roles=frozenset(),
        gpus=(),
        parity_chunks=2,
        schedules=((1000.0,),),
    )
    return replace(plain, **changed)  # type: ignore[arg-type]  # each test names real fields


def test_scenes_are_copied_and_described(tmp_path: Path) -> None:
    for name in ("bea", "anna"):
        scene(tmp_path / "from", name)
    scenes = read_scenes(tmp_path / "from")
    entries = copy_scenes(scenes, tmp_path / "out")
    assert [(each.name, each.people) for each in entries] == [("anna", 2), ("bea", 2)]
    for entry in entries:
        for file in entry.files:
            copied = (tmp_path / "out" / file.path).read_bytes()
            assert copied == (tmp_path / "from" / entry.name / Path(file.path).name).read_bytes()
    again = read_scenes(tmp_path / "out" / "scenes")
    assert copy_scenes(again, tmp_path / "out") == entries, "a bundle's own scenes stay"


def test_scenes_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="holds no scenes"):
        read_scenes(tmp_path)
    odd = scene(tmp_path, "odd", width=96)
    with pytest.raises(RequestError, match="64x32 pixels, its scene says 96x32"):
        read_scenes(tmp_path)
    (odd / "scene.json").write_text("{}")
    with pytest.raises(ArtifactError, match="damaged"):
        read_scenes(tmp_path)


def test_a_scene_of_a_size_that_is_not_exported_is_refused(tmp_path: Path) -> None:
    scene(tmp_path, "anna")
    scenes = read_scenes(tmp_path)
    assert len(request(tmp_path, scenes=scenes).pictures("64x32x2")) == 1
    with pytest.raises(RequestError, match="add --size 64x32x2"):
        request(tmp_path, scenes=scenes, sizes=(parse_size("96x32x2"),))


def test_two_schedules_of_one_length_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="same number of steps"):
        request(tmp_path, schedules=((1000.0,), (900.0,)))


def test_other_scenes_make_another_request(tmp_path: Path) -> None:
    scene(tmp_path, "anna")
    scenes = read_scenes(tmp_path)
    assert (
        request(tmp_path, scenes=scenes).fingerprint
        == request(tmp_path, scenes=read_scenes(tmp_path)).fingerprint
        != request(tmp_path).fingerprint
    )


def two_people(width_px: int, *, is_strip: bool = False) -> ChunkShape:
    return ChunkShape(
        batch=1,
        people=2,
        width_px=width_px,
        height_px=32,
        latent_stride=16,
        patch=(2, 2),
        chunk_frames=1,
        window_frames=4,
        sink_frames=1,
        is_strip=is_strip,
    )


def telling_vae() -> StudioVAE:
    """Give an autoencoder that shows what it is told."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        vae = StudioVAE(replace(studio_vae(), movement_dim=8)).eval()
        for name, parameter in vae.named_parameters():
            if ".movement." in name:
                torch.nn.init.normal_(parameter, 0, 0.2)
    return vae


def still_reader() -> StillReader:
    with torch.random.fork_rng():
        torch.manual_seed(6)
        return StillReader().eval()


def test_what_bends_pictures_is_what_is_told() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = ActingNetwork(studio_acting())
        torch.nn.init.normal_(network.velocity.weight, 0, 0.05)
    acting = acting_network(network, two_people(64, is_strip=True))
    generator = torch.Generator().manual_seed(2)
    given = {
        each.name: each.zeros()
        if each.dtype == torch.int64
        else torch.randn(each.shape, generator=generator)
        for each in acting.inputs
    }
    made = acting.run(given)
    assert made["turns"].shape == (2, 4, 3)
    assert made["turns"].abs().max() > 1e-3
    assert made["expressions"].shape == (2, 4, len(EXPRESSIONS))
    assert made["expressions"].std() > 1e-3
    assert torch.equal(made["expressions"], made["motion"][0][..., list(EXPRESSIONS)])
    speech = list(SPEECH_CURVES)
    larger = SPEECH_TOLD * given["curves"][..., speech]
    torch.testing.assert_close(made["motion"][0][..., speech], larger)


def test_the_decoder_is_shown_latents_of_the_scene_that_move(tmp_path: Path) -> None:
    scene(tmp_path, "anna")
    picture = read_scenes(tmp_path)[0].tensor()
    shape = two_people(64)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        vae = StudioVAE(studio_vae()).eval()
    shown = shown_pictures(vae, shape, picture)
    encoder, decoder = picture_networks(vae, None, shape)
    assert [len(stream) for stream in shown["vae_decoder"]] == [SHOWN_CALLS]
    calls = reference_calls(decoder, {}, shown["vae_decoder"] * 2)
    assert len(calls) == 2 * SHOWN_CALLS
    latents = [call.inputs["latent"] for call in calls[:SHOWN_CALLS]]
    assert all(not torch.equal(a, b) for a, b in pairwise(latents))
    assert torch.equal(
        calls[1].inputs["ref.quarter"],
        encoder.run({"picture": picture})["ref.quarter"],
    )
    assert calls[0].inputs["state.latent"].abs().max() == 0, "a stream starts without a past"
    assert calls[SHOWN_CALLS].inputs["state.latent"].abs().max() == 0, "and so does the next"
    assert calls[1].inputs["state.latent"].abs().max() > 0
    still = swayed(picture, 1)
    assert torch.allclose(still[:, :, 0], picture, atol=0.02), "it starts from the picture"


def test_a_decoder_that_is_told_is_shown_faces_that_move() -> None:
    shape, vae = two_people(256), telling_vae()
    picture = torch.rand(1, 3, 32, 256, generator=torch.Generator().manual_seed(4)) * 2 - 1
    (stream,) = shown_pictures(vae, shape, picture)["vae_decoder"]
    _, decoder = picture_networks(vae, None, shape)
    calls = reference_calls(decoder, {}, (stream,))
    assert not torch.equal(calls[0].inputs["motion"], calls[1].inputs["motion"])
    blinks = torch.cat([call.inputs["motion"][0, 0, :, 0] for call in calls])
    assert blinks.max() > 0.9
    assert blinks.min() == 0
    assert calls[0].inputs["people"].sum(-1).min() > 0, "everybody is somewhere"
    still = dict(calls[0].inputs)
    still["motion"] = torch.zeros_like(still["motion"])
    moving = dict(still)
    moving["motion"] = still["motion"].clone()
    moving["motion"][:, 1, 2, 0] = 1.0  # the second person's left lid, in the third frame
    shown = (decoder.run(moving)["pixels"] - decoder.run(still)["pixels"]).abs().float()
    by_column = shown.amax((0, 2, 4))[2]  # [W] of the third frame
    assert by_column[:64].max() == 0, "far from the second person nothing changes"
    assert by_column[160:].max() > 0


def test_cells_of_a_strip_are_pictures_of_their_own() -> None:
    vae, strip = telling_vae(), two_people(64, is_strip=True)
    picture = torch.rand(1, 3, 32, 64, generator=torch.Generator().manual_seed(4)) * 2 - 1
    (stream,) = shown_pictures(vae, strip, picture)["vae_decoder"]
    encoder, decoder = picture_networks(vae, still_reader(), strip)
    calls = reference_calls(decoder, {}, (stream,))
    shown = calls[-1].outputs["pixels"]
    assert shown.shape == (1, 4, 32, 64, 3)
    single_shape = replace(two_people(32), people=1, is_strip=True)
    for person, span in enumerate((slice(0, 32), slice(32, 64))):
        one_encoder, one = picture_networks(vae, still_reader(), single_shape)
        seen = one_encoder.run({"picture": picture[..., span]})
        whole = encoder.run({"picture": picture})
        torch.testing.assert_close(
            whole["reference"][..., 2 * person : 2 * person + 2], seen["reference"]
        )
        torch.testing.assert_close(whole["still"][person : person + 1], seen["still"])
        alone = tuple(
            {
                "latent": each["latent"][..., 2 * person : 2 * person + 2],
                **{name: each[name][:, person : person + 1] for name in ("motion", "motion_known")},
                **{name: value for name, value in seen.items() if name.startswith("ref.")},
            }
            for each in stream
        )
        made = reference_calls(one, {}, (alone,))[-1].outputs["pixels"]
        assert (made.int() - shown[..., span, :].int()).abs().max() <= 1, "nothing of the other's"


def test_a_piece_is_calibrated_by_its_scenes(tmp_path: Path) -> None:
    for name in ("anna", "bea"):
        scene(tmp_path / "scenes", name)
    asked = request(tmp_path, scenes=read_scenes(tmp_path / "scenes"))
    chosen = recipe("studio")
    shape = chosen.shape(asked.sizes[0])
    (pictures,) = (piece for piece in chosen.pieces if "vae_decoder" in piece.roles)
    plan = RollPlan(chunks=2, timesteps=(1000.0,), context_timestep=0.0, seed=1)
    desk = Desk(asked, tmp_path, shape, plan, "vae_decoder@64x32x2".__eq__)
    (draft,) = draft_piece(pictures.build(asked.weights.load, shape), desk)
    assert len(draft.calls) == 2 * SHOWN_CALLS
    assert [call.is_first for call in draft.calls].count(True) == 2
    shown = draft.calls[0].inputs["ref.picture"]
    wanted = neighbors(asked.scenes[0].tensor())
    assert torch.equal(shown, wanted), "the scene's picture, not noise"


def test_with_cells_networks_are_made_for_strips_and_shown_them(tmp_path: Path) -> None:
    scene(tmp_path / "scenes", "anna")
    rule = CellRule(side=32, reach=1.2, feather=0.1)
    scenes = read_scenes(tmp_path / "scenes")
    sizes = (parse_size("64x32x2"), parse_size("96x64x2"), parse_size("96x64x3"))
    asked = request(tmp_path, scenes=scenes, sizes=sizes, cells=rule)
    assert [each.key for each in asked.rolled_sizes] == ["64x32x2", "96x32x3"]
    (seen,) = asked.pictures("64x32x2")
    squares = squares_around(scenes[0].boxes, 64, 32, rule)
    strip = cut_strip(scenes[0].picture, squares, 32)
    assert np.allclose((seen[0].permute(1, 2, 0).numpy() + 1) * 127.5, strip, atol=1e-3)
    assert asked.pictures("96x32x3") == (), "two faces make no strip of three"
    scene(tmp_path / "scenes", "bea")
    more = replace(asked, scenes=read_scenes(tmp_path / "scenes"))
    (borrowed,) = more.pictures("96x32x3")
    assert borrowed.shape == (1, 3, 32, 96)
    assert torch.equal(borrowed[..., :64], seen)
    assert more.pictures("128x32x4") == ()
    plain = request(tmp_path, scenes=scenes, sizes=sizes)
    assert plain.rolled_sizes == sizes
    assert plain.fingerprint != asked.fingerprint


@pytest.mark.parametrize("steps", [(), (0.0,), (1200.0,), (500.0, 1000.0), (500.0, 500.0)])
def test_timesteps_that_do_not_fall_are_refused_before_any_work(
    tmp_path: Path, steps: tuple[float, ...]
) -> None:
    with pytest.raises(RequestError, match="do not fall within 0 to 1000"):
        request(tmp_path, schedules=(steps,))


def test_folders_that_cannot_give_a_name_are_refused_before_any_work(tmp_path: Path) -> None:
    scene(tmp_path / "scenes", "Anna B")
    with pytest.raises(RequestError, match="'Anna B' cannot"):
        read_scenes(tmp_path / "scenes")
    talk = tmp_path / "Small Talk"
    talk.mkdir()
    (talk / "00-0.ogg").write_bytes(b"sound")
    with pytest.raises(RequestError, match="'Small Talk' cannot"):
        read_conversation(talk)


def test_a_conversation_is_read_in_turn_and_copied(tmp_path: Path) -> None:
    talk = tmp_path / "talk"
    talk.mkdir()
    with pytest.raises(RequestError, match="holds no utterances"):
        read_conversation(talk)
    for name in ("01-1.wav", "00-0.ogg", "notes-for-us.txt"):
        (talk / name).write_bytes(name.encode())
    ready = read_conversation(talk)
    assert [each.speaker for each in ready.utterances] == [0, 1]
    (entry,) = copy_conversations([ready], tmp_path / "out")
    assert [turn.speaker for turn in entry.turns] == [0, 1]
    assert (tmp_path / "out" / entry.turns[1].file.path).read_bytes() == b"01-1.wav"
    (talk / "02-16.ogg").write_bytes(b"x")
    with pytest.raises(RequestError, match="0 to 15"):
        read_conversation(talk)
