"""Toy AnyTalker and MultiTalk: the published structure in tiny widths, exported as a bundle.

Weights are random files that `parley export` finds as it finds published ones, and a sentencepiece
model trained on the spot stands beside them.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import sentencepiece
import torch
from safetensors.torch import save_file
from torch import nn

from engines.bundle import Bundle, open_bundle
from export.publishing import publish
from export.recipe import Recipe, Streaming
from export.request import ExportRequest, Target, parse_size
from export.running import run_export
from export.wan_recipes import TOKENIZER_FILE, WanParts, anytalker_recipe, multitalk_recipe
from export.weights import Weights
from models.anytalker.config import AnyTalkerConfig, AudioBinding
from models.anytalker.dit import AnyTalkerDiT
from models.checkpoints.network import Network, Part
from models.encoders.clip import ClipConfig, ClipImageTower
from models.encoders.umt5 import Umt5Config, Umt5Encoder
from models.encoders.wav2vec2 import Wav2Vec2Network
from models.encoders.wav2vec2_streaming import live_audio
from models.multitalk.config import MultiTalkConfig
from models.multitalk.dit import MultiTalkDiT
from models.multitalk.labels import LabelRanges
from models.vae.config import WanVAEConfig
from models.vae.wan_vae import WanVAE
from models.wan.dit import WanBackbone
from tests.models import tiny
from tests.models.encoders.tiny import seeded, tiny_wav2vec2

D = TypeVar("D", bound=WanBackbone[Any])
N = TypeVar("N", bound=nn.Module)
SIZE = "64x32x2"
TEXT_LEN, TEXT_DIM, IMAGE_DIM, PIECES = 10, 12, 16, 40
TIMESTEPS = (1000.0, 500.0)
STREAMING = Streaming(chunk_frames=1, window_frames=3, context_timestep=0.0, clip_frames=9)
LIVE = replace(live_audio(), left_context_frames=14)
SENTENCES = (
    "two people talk and laugh",
    "she looks at him and smiles",
    "he listens; they are calm",
    "a quiet room, warm light, two chairs",
)
WAN = replace(tiny.wan_config(image_dim=IMAGE_DIM), text_dim=TEXT_DIM, text_len=TEXT_LEN)
VAE = WanVAEConfig(
    dim=4,
    z_dim=16,
    dim_mult=(1, 1, 1),
    num_res_blocks=1,
    temporal_downsample=(True, True),
    latent_mean=(0.1,) * 16,
    latent_std=(1.5,) * 16,
)
CLIP = ClipConfig(
    image_px=32,
    patch_px=2,  # 257 tokens, as published
    channels=IMAGE_DIM,
    feedforward_channels=24,
    output_channels=8,
    heads=2,
    layers=2,
    norm_eps=1e-5,
)
TEXT = Umt5Config(
    vocabulary=PIECES,
    channels=TEXT_DIM,
    attention_channels=16,
    feedforward_channels=24,
    heads=2,
    layers=1,
    buckets=8,
    is_bias_shared=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Modules(Generic[D]):
    """The torch networks of a toy."""

    dit: D
    vae: WanVAE
    text: Umt5Encoder
    clip: ClipImageTower
    speech: Wav2Vec2Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Toy(Generic[D]):
    """A bundle and the networks that it was exported from."""

    bundle: Bundle
    modules: Modules[D]


def train_pieces() -> bytes:
    """Train a sentencepiece model with umT5's special numbers: 0 pads, 1 ends, 2 is unknown."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 4),
        model_writer=written,
        model_type="unigram",
        vocab_size=PIECES,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    return written.getvalue()


def _network(name: str, build: Callable[[], N], module: N, weights: Path) -> Network[N]:
    """Write a module's weights as a file, and describe the network that comes in it."""
    tensors = {key: value.contiguous() for key, value in module.state_dict().items()}
    save_file(tensors, weights / f"{name}.safetensors")
    part = Part(repository=None, folders=("toy",), choices=(f"{name}.safetensors",))
    return Network(name=name, build=build, parts=(part,))


def _random(build: Callable[[], N], seed: int) -> N:
    module = seeded(build, seed).eval()
    return module  # type: ignore[return-value]  # `seeded` gives what `build` gives


def _listen_closely(dit: nn.Module, speech: nn.Module) -> None:
    """Let voices show: without this a random network hears its own biases above all."""
    with torch.no_grad():
        for name, parameter in speech.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
        for name, parameter in dit.named_parameters():
            if name.startswith(("audio_emb.", "audio_proj.")) and name.endswith("bias"):
                parameter.zero_()
            if any(part in name for part in ("cross_attn.v", "audio_cross_attn.kv_linear")):
                parameter.mul_(4)


def _export(
    name: str,
    build: Callable[[], D],
    recipe_of: Callable[[str, WanParts[D]], Recipe],
    home: Path,
) -> Toy[D]:
    """Export a toy to HOME/NAME; what is around its transformer comes from a toy exported before.

    Networks are exported as `parley export` goes on with a bundle that it was cut off from.
    """
    weights = home / "weights" / "toy"
    tokenizer = home / "weights" / TOKENIZER_FILE
    for folder in (weights, tokenizer.parent, home / name):
        folder.mkdir(parents=True, exist_ok=True)
    tokenizer.write_bytes(train_pieces())
    modules = Modules(
        dit=tiny.randomized(build(), 3),
        vae=_random(lambda: WanVAE(VAE), 4),
        text=_random(lambda: Umt5Encoder(TEXT), 5),
        clip=_random(lambda: ClipImageTower(CLIP), 6),
        speech=_random(lambda: Wav2Vec2Network(tiny_wav2vec2()), 7),
    )
    _listen_closely(modules.dit, modules.speech)
    parts = WanParts(
        dit=_network(name, build, modules.dit, weights),
        cfg=WAN,
        vae=_network("vae", lambda: WanVAE(VAE), modules.vae, weights),
        latent_stride=VAE.spatial_stride,
        text=_network("text", lambda: Umt5Encoder(TEXT), modules.text, weights),
        picture=_network("clip", lambda: ClipImageTower(CLIP), modules.clip, weights),
        speech=_network(
            "speech", lambda: Wav2Vec2Network(tiny_wav2vec2()), modules.speech, weights
        ),
        live=LIVE,
        streaming=STREAMING,
        tokenizer_files=(TOKENIZER_FILE,),
    )
    recipe = recipe_of(name, parts)
    request = ExportRequest(
        preset="toy",
        weights=Weights(directory=home / "weights", seed=None),
        target=Target.ONNX,
        precision="fp32",
        out=home / name,
        sizes=(parse_size(SIZE),),
        roles=frozenset(),
        gpus=(),
        parity_chunks=5,
        schedules=(TIMESTEPS,),
    )
    around = home / "around"
    if around.is_dir():
        shutil.copytree(around, request.out, dirs_exist_ok=True)
    records = run_export(recipe, request, lambda _line: None)
    if not around.is_dir():
        shutil.copytree(request.out, around)
        for role in ("dit", "prompt", "face_encoder", "audio_kv"):
            for file in around.glob(f".export/{role}*.json"):
                file.unlink()
    publish(recipe, request, records)
    return Toy(bundle=open_bundle(request.out), modules=modules)


def anytalker(home: Path) -> Toy[AnyTalkerDiT]:
    """Export a toy of AnyTalker 1.3B."""
    audio = replace(tiny.audio_config(WAN.dim), channels=tiny_wav2vec2().channels)
    cfg = AnyTalkerConfig(
        wan=WAN, audio=audio, binding=AudioBinding.JOINT, is_audio_query_normed=True
    )
    return _export("anytalker", lambda: AnyTalkerDiT(cfg), anytalker_recipe, home)


def multitalk(home: Path) -> Toy[MultiTalkDiT]:
    """Export a toy of MultiTalk."""
    cfg = MultiTalkConfig(
        wan=WAN,
        audio=replace(tiny.audio_config(14), channels=tiny_wav2vec2().channels),
        labels=LabelRanges(interval=4, class_range=24, max_people=8),
        is_audio_query_normed=True,
    )
    return _export("multitalk", lambda: MultiTalkDiT(cfg), multitalk_recipe, home)
