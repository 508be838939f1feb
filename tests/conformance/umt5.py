"""Golden umT5 encoder: token numbers to hidden states and contexts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from models.encoders.umt5 import Umt5Config, Umt5Encoder, rename, text_context
from tests.conformance.case import Case, Check, Json


def matches(description: Json) -> bool:
    """Say whether this case is about the umT5 encoder."""
    return bool(description.get("config", {}).get("model") == "umt5_encoder")


def run(case: Case) -> Iterator[Check]:
    """Encode the case's tokens."""
    encoder = encoder_from(case.config, case.weights())
    ids, mask = case.inputs["ids"], case.inputs["mask"]
    contexts = text_context(encoder, ids, mask)
    computed = {f"context_{i}": context for i, context in enumerate(contexts)}
    yield from case.check_outputs({**computed, "hidden": encoder(ids, mask)})


def config_from(c: Json) -> Umt5Config:
    """Translate the published names."""
    return Umt5Config(
        vocabulary=c["vocab"] if "vocab" in c else c["vocab_size"],
        channels=c["dim"],
        attention_channels=c["dim_attn"],
        feedforward_channels=c["dim_ffn"],
        heads=c["num_heads"],
        layers=c["num_layers"],
        buckets=c["num_buckets"],
        is_bias_shared=c["shared_pos"],
    )


def encoder_from(c: Json, weights: Mapping[str, Tensor]) -> Umt5Encoder:
    """Build the encoder of a case and give it the case's weights."""
    config = config_from(c)
    with torch.device("meta"):
        encoder = Umt5Encoder(config)
    renamed = {rename(name): tensor for name, tensor in weights.items()}
    state = {name: tensor for name, tensor in renamed.items() if name is not None}
    encoder.load_state_dict(state, assign=True)
    return encoder
