from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from models.errors import InputError
from models.vae.cache import (
    Shape,
    cache_bytes,
    cache_from_names,
    decoder_cache_shapes,
    encoder_cache_shapes,
    name_cache,
)
from models.vae.config import WanVAEConfig, wan_vae
from models.vae.wan_vae import WanVAE


def test_names_are_those_of_the_convolutions_in_the_order_they_run(
    vae: WanVAE, latents: Tensor
) -> None:
    _, past = vae.decode_chunk(latents[:, :, :1], None)
    named = name_cache(vae.decoder, past)
    assert list(named)[:3] == ["conv1", "middle.0.residual.2", "middle.0.residual.6"]
    assert list(named)[-1] == "head.2"
    weights = vae.decoder.state_dict()
    for name, tensor in named.items():
        assert tensor.shape[1] == weights[f"{name}.weight"].shape[1], name


def test_naming_and_back_gives_the_same_cache(vae: WanVAE, video: Tensor, latents: Tensor) -> None:
    _, encoded = vae.encode_chunk(video[:, :, :5], None)
    _, decoded = vae.decode_chunk(latents[:, :, :2], None)
    for coder, cache in ((vae.encoder, encoded), (vae.decoder, decoded)):
        named = name_cache(coder, cache)
        shuffled = dict(sorted(named.items()))
        back = cache_from_names(coder, shuffled)
        assert [len(layer) for layer in back.layers] == [len(layer) for layer in cache.layers]
        assert all(a is b for a, b in zip(back.tensors(), cache.tensors(), strict=True))


def test_missing_and_unknown_names_are_all_listed(vae: WanVAE, latents: Tensor) -> None:
    _, past = vae.decode_chunk(latents[:, :, :1], None)
    named = name_cache(vae.decoder, past)
    named["head.9"], named["conv9"] = named.pop("head.2"), named.pop("conv1")
    with pytest.raises(InputError) as caught:
        cache_from_names(vae.decoder, named)
    assert "missing ['conv1', 'head.2'], unknown ['conv9', 'head.9']" in str(caught.value)


def test_a_cache_of_the_other_coder_has_no_names(vae: WanVAE, latents: Tensor) -> None:
    _, past = vae.decode_chunk(latents[:, :, :1], None)
    with pytest.raises(InputError, match="of this Encoder has 16 tensors, got 24"):
        name_cache(vae.encoder, past)


def test_shapes_are_known_beforehand_and_stay_the_same(
    vae: WanVAE, video: Tensor, latents: Tensor
) -> None:
    for chunk in (1, 2, 3, 4):
        _, past = vae.decode_chunk(latents[:, :, :chunk], None)
        shapes = {name: tuple(t.shape) for name, t in name_cache(vae.decoder, past).items()}
        assert shapes == decoder_cache_shapes(vae.cfg, 2, 16, 24)
    for frames in (1, 5, 9):
        _, past = vae.encode_chunk(video[:, :, :frames], None)
        shapes = {name: tuple(t.shape) for name, t in name_cache(vae.encoder, past).items()}
        assert shapes == encoder_cache_shapes(vae.cfg, 2, 16, 24)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_bytes_are_those_of_a_real_cache(vae: WanVAE, latents: Tensor, dtype: torch.dtype) -> None:
    with torch.random.fork_rng():
        net = WanVAE(vae.cfg).to(dtype).requires_grad_(False)
    _, past = net.decode_chunk(latents, None)
    real = sum(tensor.untyped_storage().nbytes() for tensor in past.tensors())
    assert cache_bytes(decoder_cache_shapes(vae.cfg, 2, 16, 24), dtype) == real


def test_published_vae_keeps_32_decoder_tensors_of_1_76_gib_at_832x480() -> None:
    shapes = decoder_cache_shapes(wan_vae(), 1, 480, 832)
    assert len(shapes) == 32
    assert shapes["upsamples.7.time_conv"] == (1, 384, 2, 120, 208)
    assert shapes["head.2"] == (1, 96, 2, 480, 832)
    assert cache_bytes(shapes, torch.bfloat16) / 2**30 == pytest.approx(1.759, abs=1e-3)
    encoding = encoder_cache_shapes(wan_vae(), 1, 480, 832)
    assert cache_bytes(encoding, torch.bfloat16) / 2**30 == pytest.approx(1.044, abs=1e-3)


@pytest.mark.parametrize("shapes", [encoder_cache_shapes, decoder_cache_shapes])
def test_shapes_of_an_impossible_size_are_refused(
    shapes: Callable[[WanVAEConfig, int, int, int], dict[str, Shape]],
) -> None:
    with pytest.raises(InputError, match="multiples of 8 pixels, got 480 x 830"):
        shapes(wan_vae(), 1, 480, 830)
