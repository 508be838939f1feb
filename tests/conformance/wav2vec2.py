"""Golden wav2vec2 features: recording to hidden states per video frame, and their windows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from models.encoders.wav2vec2 import (
    Wav2Vec2Network,
    Wav2Vec2NetworkConfig,
    audio_windows,
    rename,
    stretch,
)
from models.encoders.waveform import (
    AudioRecipe,
    anytalker_audio,
    frame_count,
    multitalk_audio,
    prepare_waveform,
)
from tests.conformance.case import Case, CaseError, Check, Json

OUTPUT = re.compile(r"(?P<kind>embedding|windowed)_(?P<fps>\d+)fps(?P<system>_anytalker)?")


def matches(description: Json) -> bool:
    """Say whether this case is about wav2vec2 features."""
    return bool(description.get("config", {}).get("model") == "wav2vec2")


def run(case: Case) -> Iterator[Check]:
    """Compute every embedding the case names from its raw waveform."""
    network = network_from(case.config, case.weights())
    prepared = _prepared(case)
    conv = network.conv_features(prepared[None])
    computed = {}
    for name in case.outputs:
        recipe = _recipe(name)
        if recipe is None:
            continue
        frames = frame_count(prepared.shape[0], recipe)
        features = network.hidden_states(stretch(conv, frames))[0]
        computed[name] = audio_windows(features) if name.startswith("windowed") else features
    yield from case.check_outputs(computed)


def _recipe(output: str) -> AudioRecipe | None:
    """Read the system and the frame rate off an output's name."""
    found = OUTPUT.fullmatch(output)
    if found is None:
        return None
    fps = int(found["fps"])
    if found["system"]:
        return anytalker_audio(fps)
    return AudioRecipe(fps=fps, rounding="floor", loudness_lufs=multitalk_audio().loudness_lufs)


def _prepared(case: Case) -> Tensor:
    """Prepare the raw waveform by MultiTalk's recipe: the kit shares it between both systems."""
    if "waveform_raw" in case.inputs:
        return prepare_waveform(case.inputs["waveform_raw"], multitalk_audio())
    if "input_values" in case.inputs:
        return case.inputs["input_values"].flatten()
    raise CaseError(f"{case.path.name}: neither waveform_raw nor input_values among the inputs")


def config_from(c: Json) -> Wav2Vec2NetworkConfig:
    """Translate the published names, which are those of transformers."""
    return Wav2Vec2NetworkConfig(
        channels=c["hidden_size"],
        layers=c["num_hidden_layers"],
        heads=c["num_attention_heads"],
        feedforward_channels=c["intermediate_size"],
        conv_channels=tuple(c["conv_dim"]),
        conv_strides=tuple(c["conv_stride"]),
        conv_kernels=tuple(c["conv_kernel"]),
        conv_norm=c["feat_extract_norm"],
        has_conv_bias=c["conv_bias"],
        position_kernel=c["num_conv_pos_embeddings"],
        position_groups=c["num_conv_pos_embedding_groups"],
        is_norm_first=c["do_stable_layer_norm"],
        norm_eps=c.get("layer_norm_eps", 1e-5),
    )


def network_from(c: Json, weights: Mapping[str, Tensor]) -> Wav2Vec2Network:
    """Build the network of a case and give it the case's weights."""
    config = config_from(c)
    with torch.device("meta"):
        network = Wav2Vec2Network(config)
    renamed = {rename(name): tensor for name, tensor in weights.items()}
    state = {name: tensor for name, tensor in renamed.items() if name is not None}
    state.setdefault("masked_spec_embed", torch.zeros(config.channels))  # no forward reads it
    network.load_state_dict(state, assign=True)
    return network
