from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import torch
from torch import Tensor

from export.encoders import picture_network, text_network
from export.families.windows import frame_windows
from export.network import ExportNetwork
from export.onnx_file import write_onnx
from export.parity import compare_outputs
from export.program_file import ProgramRunner, write_program
from export.runners import OrtRunner
from export.vae import decoder_networks, encoder_networks, to_pixels
from models.anytalker.config import AudioBinding
from models.anytalker.dit import AnyTalkerDiT
from models.encoders.clip import ClipConfig, ClipImageTower
from models.encoders.umt5 import Umt5Config, Umt5Encoder, text_context
from models.encoders.wav2vec2 import window_index
from models.vae.config import WanVAEConfig
from models.vae.wan_vae import WanVAE
from tests.export import small
from tests.models import tiny
from tests.models.encoders.tiny import seeded

VAE = WanVAEConfig(
    dim=4,
    z_dim=16,
    dim_mult=(1, 1, 2),
    num_res_blocks=1,
    temporal_downsample=(True, True),
    latent_mean=(0.1,) * 16,
    latent_std=(1.5,) * 16,
)


def random_inputs(network: ExportNetwork, seed: int = 0) -> dict[str, Tensor]:
    rng = tiny.generator(seed)
    return {spec.name: torch.randn(spec.shape, generator=rng) for spec in network.inputs}


def check(network: ExportNetwork, folder: Path, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """Export a network, compare it with torch, give what it made."""
    runner = OrtRunner(network, write_onnx(network, folder), threads=1)
    expected = network.run(given)
    found = runner(given)
    assert found.keys() == expected.keys()
    report = compare_outputs(network.key, "fp32", found, expected)
    assert report.worst < 1e-3, report
    return found


@pytest.mark.parametrize("name", ["multitalk", "anytalker_legacy"])
def test_the_networks_of_conditions_equal_torch_and_fit_the_transformer(
    name: str, tmp_path: Path
) -> None:
    family, shape = small.FAMILIES[name](), small.shape(chunk_frames=2)
    wanted = {spec.name: spec.shape for spec in family.condition_inputs(shape, torch.float32)}
    made: dict[str, Tensor] = {}
    for network in family.companions(shape):
        made |= check(network, tmp_path, random_inputs(network))
    assert {name: tuple(tensor.shape) for name, tensor in made.items()}.items() <= wanted.items()
    assert wanted.keys() - made.keys() == {"reference", "people"}


@pytest.mark.parametrize("binding", list(AudioBinding))
def test_audio_networks_hear_what_the_model_hears(binding: AudioBinding) -> None:
    family = small.FAMILIES["anytalker" if binding is AudioBinding.JOINT else "anytalker_legacy"]()
    shape = small.shape(chunk_frames=2)
    network = next(each for each in family.companions(shape) if each.role == "audio_kv")
    given = random_inputs(network)
    features = given["features"]
    windows = frame_windows(features, 5)
    index = window_index(2, 8, last_frame=features.shape[2] - 1)
    torch.testing.assert_close(windows, features[:, :, index])
    with torch.inference_mode():
        expected = cast(AnyTalkerDiT, family.dit).encode_audio(windows, starts_stream=False)
    found = network.run(given)
    for layer, kv in enumerate(expected.layers):
        torch.testing.assert_close(found[f"audio_k.{layer}"], kv.k)
        torch.testing.assert_close(found[f"audio_v.{layer}"], kv.v)


def test_a_stream_of_exported_decoder_calls_is_the_whole_video(tmp_path: Path) -> None:
    vae = seeded(lambda: WanVAE(VAE)).eval()
    assert isinstance(vae, WanVAE)
    shape = replace(small.shape(), latent_stride=4)
    start, step = decoder_networks(vae, shape)
    latents = torch.randn(1, 16, 7, 8, 16, generator=tiny.generator(4))
    runners = [OrtRunner(each, write_onnx(each, tmp_path), threads=1) for each in (start, step)]
    made = runners[0]({"latent": latents[:, :, :1]})
    pixels = [made["pixels"]]
    for first in range(1, 7):
        states = {name: made[f"next_{name}"] for name in step.states}
        made = runners[1]({"latent": latents[:, :, first : first + 1], **states})
        pixels.append(made["pixels"])
    with torch.inference_mode():
        whole = to_pixels(vae.decode(latents))
    found = torch.cat(pixels, dim=1)
    assert found.dtype == torch.uint8
    assert found.shape == (1, 25, 32, 64, 3)
    assert (found.int() - whole.int()).abs().max() <= 1  # a value halfway between two bytes
    assert whole.float().std() > 10


def test_a_stream_of_exported_encoder_calls_is_the_whole_clip(tmp_path: Path) -> None:
    vae = seeded(lambda: WanVAE(VAE)).eval()
    assert isinstance(vae, WanVAE)
    shape = replace(small.shape(), latent_stride=4)
    start, step = encoder_networks(vae, shape)
    video = torch.randn(1, 3, 13, 32, 64, generator=tiny.generator(5))
    starter = OrtRunner(start, write_onnx(start, tmp_path), threads=1)
    program = ProgramRunner(step, write_program(step, tmp_path))
    made = starter({"picture": video[:, :, 0]})
    latents = [made["picture_latent"]]
    for first in range(1, 13, 4):
        states = {name: made[f"next_{name}"] for name in step.states}
        made = program({"video": video[:, :, first : first + 4], **states})
        latents.append(made["video_latent"])
    with torch.inference_mode():
        whole = vae.encode(video)
    torch.testing.assert_close(torch.cat(latents, dim=2), whole, rtol=1e-4, atol=1e-5)


def test_pixels_are_rounded_and_clipped() -> None:
    values = torch.tensor([-3.0, -1.0, 0.0, 0.999, 5.0]).reshape(1, 1, 5, 1, 1)
    pixels = to_pixels(values.expand(-1, 3, -1, -1, -1))
    assert pixels[0, :, 0, 0, 0].tolist() == [0, 0, 128, 255, 255]


def test_the_prompt_encoder_equals_torch_and_blanks_padding(tmp_path: Path) -> None:
    config = Umt5Config(
        vocabulary=50,
        channels=16,
        attention_channels=16,
        feedforward_channels=24,
        heads=2,
        layers=2,
        buckets=8,
        is_bias_shared=False,
    )
    encoder = seeded(lambda: Umt5Encoder(config)).eval()
    assert isinstance(encoder, Umt5Encoder)
    tokens = torch.randint(1, 50, (1, 9), generator=tiny.generator(6))
    mask = (torch.arange(9) < 5).long()[None]
    found = check(text_network(encoder, 9), tmp_path, {"tokens": tokens, "token_mask": mask})
    (context,) = text_context(encoder, tokens, mask)
    torch.testing.assert_close(found["text"][0, :5], context, rtol=1e-4, atol=1e-5)
    assert not found["text"][0, 5:].any()


def test_the_picture_encoder_equals_torch(tmp_path: Path) -> None:
    config = ClipConfig(
        image_px=28,
        patch_px=14,
        channels=16,
        feedforward_channels=24,
        output_channels=8,
        heads=2,
        layers=3,
        norm_eps=1e-5,
    )
    tower = seeded(lambda: ClipImageTower(config)).eval()
    assert isinstance(tower, ClipImageTower)
    network = picture_network(tower, pictures=2)
    check(network, tmp_path, random_inputs(network))
