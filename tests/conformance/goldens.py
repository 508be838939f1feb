"""Write our own tiny golden cases: `python -m tests.conformance.goldens FOLDER`.

They are in the format of every other case, with random weights and inputs from fixed seeds and the
outputs our code gave. Written anew only when an output is meant to change; every other time a
difference is a regression. They also hold what no published golden can: three people in MultiTalk.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2Model

from models.anytalker.dit import AnyTalkerDiT
from models.encoders.clip import ClipImageTower
from models.encoders.umt5 import Umt5Encoder
from models.multitalk.dit import MultiTalkDiT
from models.vae.wan_vae import WanVAE
from models.wan.dit import WanDiT
from tests.conformance import anytalker, clip, multitalk, umt5, wan_vae
from tests.conformance.case import Case, Check, Json
from tests.conformance.groups import group_of
from tests.conformance.wan import wan_config
from tests.models import tiny

ATOL = 2e-5
TRANSFORMER: Json = {
    "text_len": 6, "in_dim": 36, "dim": 32, "ffn_dim": 24, "freq_dim": 16, "text_dim": 10,
    "out_dim": 16, "num_heads": 2, "num_layers": 2, "patch_size": [1, 2, 2], "eps": 1e-6,
    "audio_window": 5, "audio_blocks": 2, "audio_channels": 4, "intermediate_dim": 8,
    "context_tokens": 3, "vae_scale": 4, "norm_input_visual": True, "norm_output_audio": True,
    "clip_dim": 12,
}  # fmt: skip
MULTITALK: Json = TRANSFORMER | {"model": "multitalk_dit", "output_dim": 14}
ANYTALKER: Json = TRANSFORMER | {"model": "anytalker_dit", "audio_output_dim": 14}
CAUSAL: Json = {
    "model": "self_forcing_causal_dit", "text_len": 6, "in_dim": 16, "dim": 32, "ffn_dim": 24,
    "freq_dim": 16, "text_dim": 10, "out_dim": 16, "num_heads": 2, "num_layers": 2, "eps": 1e-6,
    "patch_size": [1, 2, 2], "local_attn_size": 5, "sink_size": 1, "num_frame_per_block": 2,
    "denoising_timesteps": [1000.0, 833.3333129882812], "context_timestep": 0,
}  # fmt: skip
VAE: Json = {
    "model": "wan_vae", "dim": 4, "z_dim": 16, "dim_mult": [1, 2, 2, 2], "num_res_blocks": 1,
    "attn_scales": [], "temperal_downsample": [False, True, True],
    "latent_mean": [0.1] * 16, "latent_std": [1.5] * 16,
}  # fmt: skip
CLIP: Json = {
    "model": "clip_visual", "image_size": 16, "patch_size": 4, "dim": 12, "mlp_ratio": 2,
    "out_dim": 4, "num_heads": 2, "num_layers": 3, "norm_eps": 1e-5,
}  # fmt: skip
UMT5: Json = {
    "model": "umt5_encoder", "vocab": 16, "dim": 12, "dim_attn": 16, "dim_ffn": 20, "num_heads": 2,
    "num_layers": 2, "num_buckets": 8, "shared_pos": False,
}  # fmt: skip
WAV2VEC2: Json = {
    "model": "wav2vec2", "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 24, "conv_dim": [8] * 7, "conv_stride": [5, 2, 2, 2, 2, 2, 2],
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2], "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2, "feat_extract_norm": "group",
    "do_stable_layer_norm": False, "conv_bias": False, "layer_norm_eps": 1e-5, "vocab_size": 32,
}  # fmt: skip


class Golden(NamedTuple):
    """A case before it has outputs."""

    name: str
    config: Json
    weights: Mapping[str, Tensor]
    inputs: Mapping[str, Tensor]
    shared: str = ""  # name of the weights, where several cases have the same
    outputs: tuple[str, ...] = ()  # names, where the adapter reads them off the case


@dataclass(frozen=True)
class Recording(Case):
    """A case that keeps what its adapter computes instead of comparing it."""

    kept: dict[str, Tensor]

    def check_outputs(self, computed: Mapping[str, Tensor]) -> Iterator[Check]:
        self.kept.update(computed)
        yield from ()


def goldens() -> Iterator[Golden]:
    """Yield every case, its tensors seeded."""
    multitalk_weights = _random(MultiTalkDiT(multitalk.config_from(MULTITALK)))
    for people in (1, 2, 3):
        given = _transformer_inputs(people)
        yield Golden(f"multitalk_{people}p", MULTITALK, multitalk_weights, given, "multitalk")
    yield _sampler("euler", MULTITALK, multitalk_weights, "multitalk")
    for is_legacy in (False, True):
        config = ANYTALKER | {"legacy_audio_cross_attn": is_legacy}
        weights = _random(AnyTalkerDiT(anytalker.config_from(config)))
        kind = "legacy" if is_legacy else "joint"
        name = f"anytalker_{kind}"
        yield Golden(f"{name}_2id", config, weights, _transformer_inputs(2), name)
        if not is_legacy:
            yield _sampler("unipc", config, weights, name)
    yield _causal()
    yield from _autoencoder_and_encoders()


def _transformer_inputs(people: int) -> dict[str, Tensor]:
    given = tiny.inputs(people=people, frames=3, seed=people)
    return {
        "x": given.latent[0, :16],
        "y": given.latent[0, 16:],
        "t": torch.tensor([613.0]),
        "context": given.prompt,
        "clip_fea": given.image,
        "audio": given.windows[0],
        "ref_target_masks": given.regions[0].contiguous(),
        "ref_face": given.faces[0],
        "face_masks": given.face_masks[0].contiguous(),
    }


def _sampler(kind: str, dit_config: Json, weights: Mapping[str, Tensor], shared: str) -> Golden:
    rng = tiny.generator(7)
    inputs = _transformer_inputs(2) | {
        "noise": torch.randn(16, 3, tiny.H, tiny.W, generator=rng),
        "context_null": torch.randn(3, 10, generator=rng),
    }
    config: Json = {"sampler": kind, "steps": 3, "shift": 5.0, "dit_config": dit_config}
    if kind == "euler":
        config |= {"text_guide_scale": 5.0, "audio_guide_scale": 4.0, "apg": True}
        config |= {"apg_momentum": -0.75, "apg_norm_threshold": 55.0, "apg_eta": 0.0}
    else:
        config |= {"guide_scale": 4.5}
    return Golden(f"sampler_{kind}_3step", config, weights, inputs, shared)


def _causal() -> Golden:
    rng = tiny.generator(8)
    inputs = {
        "noise": torch.randn(1, 8, 16, tiny.H, tiny.W, generator=rng),
        "renoise": torch.randn(4, 1, 2, 16, tiny.H, tiny.W, generator=rng),
        "context": torch.randn(4, 10, generator=rng),
    }
    dit = WanDiT(wan_config(CAUSAL, image_dim=None))
    return Golden("causal_sink1_local5", CAUSAL, _random(dit), inputs)


def _autoencoder_and_encoders() -> Iterator[Golden]:
    rng = tiny.generator(9)
    vae = WanVAE(wan_vae.config_from(VAE))
    video = torch.rand(1, 3, 9, 16, 16, generator=rng) * 2 - 1
    z = torch.randn(1, 16, 3, 2, 2, generator=rng)
    yield Golden("wan_vae", VAE, _random(vae), {"video": video, "z_stream": z})
    tower = ClipImageTower(clip.config_from(CLIP))
    images = torch.rand(1, 3, 20, 28, generator=rng) * 2 - 1
    yield Golden("clip_visual", CLIP, _random(tower), {"images": images})
    encoder = Umt5Encoder(umt5.config_from(UMT5))
    ids = torch.randint(1, 16, (2, 9), generator=rng)
    mask = (torch.arange(9) < torch.tensor([[9], [4]])).long()
    yield Golden("umt5", UMT5, _random(encoder), {"ids": ids * mask, "mask": mask})
    yield _wav2vec2(rng)


def _wav2vec2(rng: torch.Generator) -> Golden:
    published = {k: v for k, v in WAV2VEC2.items() if k != "model"}
    network = Wav2Vec2Model(Wav2Vec2Config(**published))
    seconds = torch.arange(12000) / 16000
    voice = 0.2 * torch.sin(2 * torch.pi * 140 * seconds) * (seconds * 9).sin()
    voice += 0.01 * torch.randn(12000, generator=rng)
    outputs = ("embedding_25fps", "windowed_25fps", "embedding_24fps_anytalker")
    return Golden("wav2vec2", WAV2VEC2, _random(network), {"waveform_raw": voice}, "", outputs)


def _random(net: nn.Module) -> dict[str, Tensor]:
    return {k: v.contiguous() for k, v in tiny.randomized(net).state_dict().items()}


def write(golden: Golden, folder: Path) -> None:
    """Write one case: its description, weights, inputs and the outputs our code gives."""
    path = folder / f"{golden.name}.json"
    files = {kind: f"{golden.name}.{kind}.safetensors" for kind in ("inputs", "outputs")}
    weights = f"{golden.shared or golden.name}.weights.safetensors"
    save_file(dict(golden.weights), folder / weights)
    save_file({k: v.contiguous() for k, v in golden.inputs.items()}, folder / files["inputs"])
    save_file({name: torch.zeros(1) for name in golden.outputs}, folder / files["outputs"])
    described = {name: {"shape": list(t.shape)} for name, t in golden.inputs.items()}
    description: Json = {
        "case": golden.name,
        "config": golden.config,
        "weights": weights,
        "files": files,
        "inputs": described,
        "suggested_tolerance": {"atol": ATOL, "rtol": 1e-4},
    }
    path.write_text(json.dumps(description, indent=1) + "\n")
    kept: dict[str, Tensor] = {}
    recording = Recording(path, description, kept)
    list(group_of(recording).run(recording))
    save_file({k: v.contiguous() for k, v in kept.items()}, folder / files["outputs"])


def main() -> None:
    """Write every case into the folder given."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for golden in goldens():
        write(golden, folder)
        sys.stdout.write(f"{golden.name}\n")


if __name__ == "__main__":
    main()
