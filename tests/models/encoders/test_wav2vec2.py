from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers import Wav2Vec2Config, Wav2Vec2Model

from models.encoders.wav2vec2 import (
    Wav2Vec2Network,
    audio_features,
    audio_windows,
    rename,
    stretch,
    wav2vec2_base,
)
from models.encoders.waveform import anytalker_audio, multitalk_audio
from models.errors import ConfigError, InputError
from tests.models.encoders.tiny import seeded, tiny_wav2vec2, voice


def test_the_base_network_has_the_published_tensors() -> None:
    with torch.device("meta"):
        state = Wav2Vec2Network(wav2vec2_base()).state_dict()
    assert len(state) == 211
    assert sum(tensor.numel() for tensor in state.values()) == 94_371_712
    position = "encoder.pos_conv_embed.conv.parametrizations.weight.original"
    assert state[f"{position}0"].shape == (1, 1, 128)
    assert state[f"{position}1"].shape == (768, 48, 128)
    assert state["feature_extractor.conv_layers.0.conv.weight"].shape == (512, 1, 10)


def test_the_base_network_sees_400_samples_every_320() -> None:
    assert (wav2vec2_base().field_samples, wav2vec2_base().hop_samples) == (400, 320)


@pytest.mark.parametrize("is_norm_first", [False, True])
def test_at_the_convolutions_own_rate_it_is_transformers_network(is_norm_first: bool) -> None:
    norm = "layer" if is_norm_first else "group"
    config = tiny_wav2vec2(is_norm_first=is_norm_first, conv_norm=norm, has_conv_bias=is_norm_first)
    ours = seeded(lambda: Wav2Vec2Network(config))
    assert isinstance(ours, Wav2Vec2Network)
    with torch.random.fork_rng():
        theirs: nn.Module = Wav2Vec2Model(
            Wav2Vec2Config(
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=4,
                intermediate_size=48,
                conv_dim=(16,) * 7,
                feat_extract_norm=norm,
                conv_bias=is_norm_first,
                num_conv_pos_embeddings=16,
                num_conv_pos_embedding_groups=4,
                do_stable_layer_norm=is_norm_first,
            )
        )
    theirs.load_state_dict(ours.state_dict())
    theirs.eval()
    waveform = voice(1.0)[None]
    with torch.no_grad():
        expected = theirs(waveform, output_hidden_states=True).last_hidden_state
        got = ours.hidden_states(ours.conv_features(waveform))
    assert got.shape == (1, 49, 2, 32)
    torch.testing.assert_close(got[:, :, -1], expected, atol=1e-5, rtol=1e-4)


def test_features_are_the_same_in_training_mode_and_leave_the_generator_alone(
    network: Wav2Vec2Network,
) -> None:
    expected = audio_features(network, voice(1.0), multitalk_audio())
    before = torch.random.get_rng_state()
    network.train()
    try:
        again = audio_features(network, voice(1.0), multitalk_audio())
    finally:
        network.eval()
    assert torch.equal(again, expected)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_features_are_interpolated_before_the_transformer(network: Wav2Vec2Network) -> None:
    features = audio_features(network, voice(1.0), anytalker_audio())
    assert features.shape == (24, 2, 32)
    conv = network.conv_features(voice(1.0)[None])
    halves = stretch(conv[:, :3], 5)[0]
    torch.testing.assert_close(halves[::2], conv[0, :3])
    torch.testing.assert_close(halves[1], (conv[0, 0] + conv[0, 1]) / 2)


def test_the_loudness_step_hardly_matters_behind_the_group_norm(network: Wav2Vec2Network) -> None:
    with_step = audio_features(network, voice(2.0), multitalk_audio())
    without = audio_features(network, voice(2.0), anytalker_audio(25))
    assert float((with_step - without).norm() / with_step.norm()) < 1e-4


def test_silence_has_finite_features(network: Wav2Vec2Network) -> None:
    assert audio_features(network, torch.zeros(16_000), multitalk_audio()).isfinite().all()


def test_bfloat16_parameters_give_bfloat16_features_close_by(network: Wav2Vec2Network) -> None:
    half = Wav2Vec2Network(network.config)
    half.load_state_dict(network.state_dict())
    half.to(torch.bfloat16)
    with torch.inference_mode():
        features = audio_features(half, voice(1.0), multitalk_audio())
    exact = audio_features(network, voice(1.0), multitalk_audio())
    assert features.dtype == torch.bfloat16
    assert float((features.float() - exact).norm() / exact.norm()) < 0.05


@pytest.mark.parametrize("samples", [1, 399, 639])
def test_a_track_too_short_for_a_frame_is_refused(network: Wav2Vec2Network, samples: int) -> None:
    with pytest.raises(InputError, match=f"got {samples}"):
        audio_features(network, torch.zeros(samples), multitalk_audio())


def test_windows_hold_two_frames_to_each_side_clamped_at_the_ends() -> None:
    features = torch.arange(6.0)[:, None, None]
    windows = audio_windows(features)[:, :, 0, 0]
    assert windows[0].tolist() == [0, 0, 0, 1, 2]
    assert windows[3].tolist() == [1, 2, 3, 4, 5]
    assert windows[5].tolist() == [3, 4, 5, 5, 5]
    with pytest.raises(InputError, match="at least one frame"):
        audio_windows(features[:0])


@pytest.mark.parametrize(
    ("published", "ours"),
    [
        ("encoder.layers.3.attention.k_proj.bias", "encoder.layers.3.attention.k_proj.bias"),
        ("wav2vec2.masked_spec_embed", "masked_spec_embed"),
        (
            "wav2vec2.encoder.pos_conv_embed.conv.weight_g",
            "encoder.pos_conv_embed.conv.parametrizations.weight.original0",
        ),
        (
            "encoder.pos_conv_embed.conv.weight_v",
            "encoder.pos_conv_embed.conv.parametrizations.weight.original1",
        ),
        ("lm_head.weight", None),
        ("quantizer.codevectors", None),
        ("project_hid.bias", None),
    ],
)
def test_published_names_are_mapped(published: str, ours: str | None) -> None:
    assert rename(published) == ours


@pytest.mark.parametrize(
    "changes", [{"heads": 5}, {"position_groups": 5}, {"conv_kernels": (10, 3)}]
)
def test_a_contradictory_config_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        tiny_wav2vec2(**changes)
