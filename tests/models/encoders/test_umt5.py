from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import T5Config, T5EncoderModel, UMT5Config, UMT5EncoderModel

from models.encoders.umt5 import (
    Umt5Config,
    Umt5Encoder,
    relative_position_bucket,
    rename,
    text_context,
    umt5_xxl,
)
from models.errors import ConfigError, InputError
from tests.models.encoders.tiny import seeded


def tiny(*, is_bias_shared: bool = False, buckets: int = 32) -> Umt5Config:
    return Umt5Config(
        vocabulary=40,
        channels=24,
        attention_channels=32,
        feedforward_channels=40,
        heads=4,
        layers=3,
        buckets=buckets,
        is_bias_shared=is_bias_shared,
    )


def encoder_of(config: Umt5Config) -> Umt5Encoder:
    encoder = seeded(lambda: Umt5Encoder(config))
    assert isinstance(encoder, Umt5Encoder)
    return encoder


def prompts() -> tuple[Tensor, Tensor]:
    ids = torch.randint(1, 40, (2, 150), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, 30:] = 0
    return ids * mask, mask


def transformers_twin(encoder: Umt5Encoder) -> nn.Module:
    """Build the same network out of transformers' umT5, or T5 for a shared bias."""
    numbers: dict[str, Any] = {
        "vocab_size": 40,
        "d_model": 24,
        "d_kv": 8,
        "d_ff": 40,
        "num_layers": 3,
        "num_heads": 4,
        "feed_forward_proj": "gated-gelu",
        "dropout_rate": 0.0,
    }
    is_shared = encoder.config.is_bias_shared
    with torch.random.fork_rng():
        twin: nn.Module = (
            T5EncoderModel(T5Config(**numbers))
            if is_shared
            else UMT5EncoderModel(UMT5Config(**numbers))
        )
    ours = encoder.state_dict()
    state = {
        "shared.weight": ours["token_embedding.weight"],
        "encoder.embed_tokens.weight": ours["token_embedding.weight"],
        "encoder.final_layer_norm.weight": ours["norm.weight"],
    }
    names = {
        "layer.0.layer_norm": "norm1",
        "layer.0.SelfAttention.q": "attn.q",
        "layer.0.SelfAttention.k": "attn.k",
        "layer.0.SelfAttention.v": "attn.v",
        "layer.0.SelfAttention.o": "attn.o",
        "layer.1.layer_norm": "norm2",
        "layer.1.DenseReluDense.wi_0": "ffn.gate.0",
        "layer.1.DenseReluDense.wi_1": "ffn.fc1",
        "layer.1.DenseReluDense.wo": "ffn.fc2",
    }
    bias = "layer.0.SelfAttention.relative_attention_bias.weight"
    for i in range(3):
        for theirs, mine in names.items():
            state[f"encoder.block.{i}.{theirs}.weight"] = ours[f"blocks.{i}.{mine}.weight"]
        if not is_shared:
            state[f"encoder.block.{i}.{bias}"] = ours[f"blocks.{i}.pos_embedding.embedding.weight"]
    if is_shared:
        state[f"encoder.block.0.{bias}"] = ours["pos_embedding.embedding.weight"]
    twin.load_state_dict(state)
    return twin.eval()


@pytest.mark.parametrize("is_bias_shared", [False, True])
def test_it_is_transformers_encoder(is_bias_shared: bool) -> None:
    encoder = encoder_of(tiny(is_bias_shared=is_bias_shared))
    ids, mask = prompts()
    with torch.no_grad():
        expected = transformers_twin(encoder)(input_ids=ids, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(encoder(ids, mask), expected, atol=2e-5, rtol=1e-4)


def test_the_xxl_encoder_has_the_published_tensors() -> None:
    with torch.device("meta"):
        state = Umt5Encoder(umt5_xxl()).state_dict()
    assert len(state) == 242
    assert sum(tensor.numel() for tensor in state.values()) == 5_680_910_336
    assert state["blocks.23.pos_embedding.embedding.weight"].shape == (32, 64)
    assert state["blocks.0.ffn.gate.0.weight"].shape == (10240, 4096)
    assert "pos_embedding.embedding.weight" not in state


def test_contexts_hold_only_real_tokens_and_do_not_depend_on_the_padding() -> None:
    encoder = encoder_of(tiny())
    ids, mask = prompts()
    long, short = text_context(encoder, ids, mask)
    assert (long.shape, short.shape) == ((150, 24), (30, 24))
    (alone,) = text_context(encoder, ids[1:, :30], mask[1:, :30])
    torch.testing.assert_close(short, alone, atol=1e-5, rtol=1e-4)


def test_distances_before_and_after_the_query_have_their_own_buckets() -> None:
    distance = torch.tensor([0, -1, -7, -8, -127, -128, -5000, 1, 7, 8, 5000])
    expected = [0, 1, 7, 8, 15, 15, 15, 17, 23, 24, 31]
    assert relative_position_bucket(distance, 32).tolist() == expected


def test_bfloat16_parameters_work_in_inference_mode() -> None:
    ids, mask = prompts()
    encoder = encoder_of(tiny())
    exact = text_context(encoder, ids, mask)[0]
    with torch.inference_mode():
        rough = text_context(encoder.to(torch.bfloat16), ids, mask)[0]
    assert rough.dtype == torch.bfloat16
    assert float((rough.float() - exact).norm() / exact.norm()) < 0.1


@pytest.mark.parametrize(
    ("ids", "mask", "message"),
    [
        (torch.ones(2, 5).long(), torch.ones(2, 4).long(), "two equal"),
        (torch.ones(5).long(), torch.ones(5).long(), "two equal"),
        (torch.ones(1, 5).long(), torch.zeros(1, 5).long(), "at least one token"),
        (torch.full((1, 5), 40), torch.ones(1, 5).long(), "0..39"),
        (torch.full((1, 5), -1), torch.ones(1, 5).long(), "0..39"),
    ],
)
def test_tokens_it_cannot_take_are_refused(ids: Tensor, mask: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        text_context(encoder_of(tiny()), ids, mask)


def test_published_names_are_kept_and_others_dropped() -> None:
    assert rename("blocks.0.attn.q.weight") == "blocks.0.attn.q.weight"
    assert rename("norm.weight") == "norm.weight"
    assert rename("lm_head.weight") is None
    assert rename("decoder.block.0.weight") is None


def test_odd_buckets_are_refused() -> None:
    with pytest.raises(ConfigError, match="30"):
        tiny(buckets=30)
