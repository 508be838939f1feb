from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import Tensor

from models.anytalker.condition import IdentityCondition
from models.anytalker.config import AudioBinding, anytalker_1_3b, anytalker_14b
from models.anytalker.dit import AnyTalkerDiT
from models.anytalker.joint import JointBlock
from models.errors import InputError
from models.wan.attention import SelfAttended, merge_heads, split_heads
from models.wan.dit import Prediction, WanBlock
from models.wan.kv_cache import LayerKV
from models.wan.rope import Grid
from tests.models import tiny

TIMESTEP = torch.tensor([420.0])
NOTHING = torch.empty(0)
UNUSED = SelfAttended(NOTHING, NOTHING, LayerKV(NOTHING, NOTHING), NOTHING)


@pytest.fixture(params=list(AudioBinding))
def net(request: pytest.FixtureRequest) -> AnyTalkerDiT:
    return tiny.anytalker(request.param)


def velocity(net: AnyTalkerDiT, given: tiny.Inputs, windows: Tensor | None = None) -> Tensor:
    with torch.inference_mode():
        scene = net.encode_scene([given.prompt], given.image, given.faces, given.face_masks)
        audio = net.encode_audio(given.windows if windows is None else windows)
        made: Prediction = net(given.latent, TIMESTEP, scene, audio)
    return made.velocity


def test_published_sizes_have_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        counts = [
            sum(p.numel() for p in AnyTalkerDiT(cfg).parameters())
            for cfg in (anytalker_1_3b(), anytalker_14b())
        ]
    assert counts == [1_900_507_712, 20_987_819_584]


@pytest.mark.parametrize("people", range(1, 9))
def test_any_number_of_people_and_permuting_them_changes_nothing(
    net: AnyTalkerDiT, people: int
) -> None:
    given = tiny.inputs(people=people, frames=2)
    order = list(reversed(range(people)))
    permuted = given._replace(
        windows=given.windows[:, order],
        faces=given.faces[:, order],
        face_masks=given.face_masks[:, order],
    )
    before = velocity(net, given)
    assert torch.isfinite(before).all()
    torch.testing.assert_close(velocity(net, permuted), before)


def test_swapping_voices_alone_changes_the_result(net: AnyTalkerDiT) -> None:
    given = tiny.inputs(people=2, frames=2)
    assert not torch.allclose(velocity(net, given, given.windows.flip(1)), velocity(net, given))


@pytest.mark.parametrize("people", [2, 4, 8])
def test_one_speaks_while_all_others_are_silent(net: AnyTalkerDiT, people: int) -> None:
    given = tiny.inputs(people=people, frames=2)
    results = []
    for speaker in range(people):
        voices = torch.zeros_like(given.windows)
        voices[:, speaker] = given.windows[:, speaker]
        results.append(velocity(net, given, voices))
    assert all(torch.isfinite(result).all() for result in results)
    for other in results[1:]:
        assert not torch.allclose(results[0], other), "who speaks makes no difference"


def test_a_voice_moves_only_the_tokens_of_its_face(net: AnyTalkerDiT) -> None:
    """Before self attention mixes tokens, a person's voice reaches nobody else's."""
    given = tiny.inputs(people=3, frames=2)
    block = cast(WanBlock[IdentityCondition], net.blocks[0])
    louder = given.windows.clone()
    louder[:, 1] += 1
    heard = []
    for windows in (given.windows, louder):
        scene = net.encode_scene([given.prompt], given.image, given.faces, given.face_masks)
        audio = net.encode_audio(windows)
        conditions = net._conditions(scene, audio, 2, None)
        x = torch.randn(1, 2 * tiny.TOKENS, 32, generator=tiny.generator())
        with torch.inference_mode():
            heard.append(block.condition(x, conditions[0], UNUSED, Grid(2, 2, 4)))
    moved = (heard[0] != heard[1]).any(-1).reshape(2, tiny.TOKENS)
    expected = given.face_masks[0, 1].flatten().bool().expand(2, -1)
    assert torch.equal(moved, expected)


def test_joint_attention_equals_a_loop_over_pairs_with_the_published_mask() -> None:
    """Write the published attention out: one mask, one softmax over [face, voice] per person."""
    net, given, frames = tiny.anytalker(AudioBinding.JOINT), tiny.inputs(people=3, frames=3), 3
    attention = cast(JointBlock, net.blocks[0]).cross_attn
    scene = net.encode_scene([given.prompt], given.image, given.faces, given.face_masks)
    conditions = net._conditions(scene, net.encode_audio(given.windows), frames, None)
    x = torch.randn(1, frames * tiny.TOKENS, 32, generator=tiny.generator())
    q = attention.query(x)
    total = attention.read(q, conditions[0].scene)
    tokens = net.audio_emb(given.windows, starts_stream=True)
    visible = torch.zeros(frames * tiny.TOKENS, 9 * 3, dtype=torch.bool)
    for frame, (start, stop) in enumerate(((0, 9), (1, 5), (5, 9))):
        visible[frame * tiny.TOKENS : (frame + 1) * tiny.TOKENS, start * 3 : stop * 3] = True
    for person in range(3):
        face = net.audio_ref_emb(given.faces[:, person])
        voice = tokens[:, person].flatten(1, 2)
        k = torch.cat(
            [
                attention.norm_k_face(attention.k_face(face)),
                attention.norm_k_audio(attention.k_audio(voice)),
            ],
            dim=1,
        )
        v = torch.cat([attention.v_face(face), attention.v_audio(voice)], dim=1)
        mask = torch.cat([torch.ones(len(visible), face.shape[1], dtype=torch.bool), visible], 1)
        scores = q @ split_heads(k, 2).transpose(2, 3) / 16**0.5
        weights = scores.masked_fill(~mask, -torch.inf).softmax(-1)
        where = given.face_masks[:, person].flatten(1).repeat(1, frames)[..., None]
        total = total + merge_heads(weights @ split_heads(v, 2)) * where
    torch.testing.assert_close(attention.attend_all(x, conditions[0]), attention.o(total))


def test_faces_and_masks_and_voices_must_agree(net: AnyTalkerDiT) -> None:
    given = tiny.inputs(people=2, frames=2)
    with pytest.raises(InputError, match=r"expected \[B, 2, h, w\]: one mask for each of 2"):
        velocity(net, given._replace(face_masks=given.face_masks[:, :1]))
    with pytest.raises(InputError, match="1 voices for 2 faces"):
        velocity(net, given, given.windows[:, :1])
    with pytest.raises(InputError, match="audio covers 1 latent frames, the latent has 2"):
        velocity(net, given, given.windows[:, :, :1])
    with pytest.raises(InputError, match="the latent 4 a frame; encode the scene"):
        velocity(net, given._replace(latent=given.latent[..., :4]))


def test_an_empty_face_is_refused_and_named(net: AnyTalkerDiT) -> None:
    given = tiny.inputs(people=2)
    masks = given.face_masks.clone()
    masks[:, 0] = 0
    with pytest.raises(InputError, match="mask of person 0 covers nothing"):
        velocity(net, given._replace(face_masks=masks))
    masks[:, 0] = torch.nan
    with pytest.raises(InputError, match="NaN or infinity"):
        velocity(net, given._replace(face_masks=masks))


def test_faces_are_repeated_when_audio_outnumbers_them() -> None:
    """Twice the face tokens, repeated exactly, weigh like the audio they stand beside."""
    net = tiny.anytalker(AudioBinding.LEGACY)
    given = tiny.inputs(people=1, frames=1)
    few = given._replace(faces=given.faces[:, :, :1])
    assert torch.isfinite(velocity(net, few)).all()
    repeated = given._replace(faces=given.faces[:, :, :1].repeat(1, 1, 3, 1))
    torch.testing.assert_close(velocity(net, few), velocity(net, repeated))
