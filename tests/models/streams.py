"""One way to run each transformer as a clip, as a masked whole and as a stream of chunks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.anytalker.config import AudioBinding
from models.anytalker.dit import AnyTalkerDiT
from models.multitalk.dit import MultiTalkDiT
from models.wan.dit import Prediction, WanDiT
from models.wan.kv_cache import CacheSpec, KVCache
from models.wan.masks import BlockCausal
from tests.models import tiny

Call = Callable[[tiny.Inputs, int, int, KVCache | None, BlockCausal | None], Prediction]
TIMESTEP = torch.tensor([420.0])


@dataclass(frozen=True)
class Network:
    """A transformer and how to call it on latent frames start..stop - 1 of its inputs."""

    name: str
    call: Call

    def whole(self, given: tiny.Inputs, stream: BlockCausal | None = None) -> Tensor:
        with torch.inference_mode():
            return self.call(given, 0, given.latent.shape[2], None, stream).velocity

    def streamed(self, given: tiny.Inputs, sizes: Sequence[int], spec: CacheSpec) -> Tensor:
        return torch.cat(list(self.chunks(given, sizes, spec)), dim=2)

    def chunks(self, given: tiny.Inputs, sizes: Sequence[int], spec: CacheSpec) -> list[Tensor]:
        cache, start, made = KVCache(spec), 0, []
        for size in sizes:
            velocity, cache = self.advance(given, cache, start, size)
            made.append(velocity)
            start += size
        return made

    def advance(
        self, given: tiny.Inputs, cache: KVCache, start: int, size: int
    ) -> tuple[Tensor, KVCache]:
        """Make one chunk; its keys and values join the cache as they are."""
        past = cache.make_room(size)
        with torch.inference_mode():
            chunk = self.call(given, start, start + size, past, None)
        return chunk.velocity, past.append(chunk.kv, size)


def wan() -> Network:
    net = tiny.wan()
    return Network("wan", lambda *args: _call_wan(net, *args))


def multitalk() -> Network:
    net = tiny.multitalk()
    return Network("multitalk", lambda *args: _call_multitalk(net, *args))


def anytalker(binding: AudioBinding) -> Network:
    net = tiny.anytalker(binding)
    return Network(f"anytalker-{binding}", lambda *args: _call_anytalker(net, *args))


def every_network() -> list[Network]:
    return [
        wan(),
        multitalk(),
        anytalker(AudioBinding.JOINT),
        anytalker(AudioBinding.LEGACY),
    ]


def _timestep(given: tiny.Inputs) -> Tensor:
    return TIMESTEP.expand(len(given.latent))


def _call_wan(
    net: WanDiT,
    given: tiny.Inputs,
    start: int,
    stop: int,
    past: KVCache | None,
    stream: BlockCausal | None,
) -> Prediction:
    scene = net.encode_scene([given.prompt] * len(given.latent))
    latent = given.latent[:, :16, start:stop]
    return net.denoise(latent, _timestep(given), scene, past, stream)


def _call_multitalk(
    net: MultiTalkDiT,
    given: tiny.Inputs,
    start: int,
    stop: int,
    past: KVCache | None,
    stream: BlockCausal | None,
) -> Prediction:
    scene = net.encode_scene([given.prompt] * len(given.latent), given.image, given.regions)
    audio = net.encode_audio(given.windows_of(start, stop), starts_stream=start == 0)
    made: Prediction = net(
        given.latent[:, :, start:stop], _timestep(given), scene, audio, past, stream
    )
    return made


def _call_anytalker(
    net: AnyTalkerDiT,
    given: tiny.Inputs,
    start: int,
    stop: int,
    past: KVCache | None,
    stream: BlockCausal | None,
) -> Prediction:
    prompts = [given.prompt] * len(given.latent)
    scene = net.encode_scene(prompts, given.image, given.faces, given.face_masks)
    audio = net.encode_audio(given.windows_of(start, stop), starts_stream=start == 0)
    made: Prediction = net(
        given.latent[:, :, start:stop], _timestep(given), scene, audio, past, stream
    )
    return made
