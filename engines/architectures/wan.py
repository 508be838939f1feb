"""AnyTalker and MultiTalk: the published encoders, the Wan VAE, and a block-causal DiT.

A stream's first latent frame is the picture itself: it fills the sink and gives the decoder its
past, and is never shown. What is shown begins behind it, four video frames a latent frame.

Shape letters: B batch, P people, T video frames of a chunk, F latent frames of a chunk, K latent
frames of a training clip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from engines.architectures.denoiser import Denoiser
from engines.architectures.parts import Parts
from engines.architectures.room import Made
from engines.architectures.wan_scene import (
    Told,
    clip_input,
    encode_clip,
    face_pictures,
    given_frames,
    picture_planes,
    told_of_faces,
    told_of_people,
)
from engines.architectures.wiring import StateLoop, Wiring
from engines.errors import ArtifactError
from engines.manifest import SAMPLES_PER_FRAME, Manifest, Role, WanConditions
from engines.prompts import PADDING, PromptTokenizer
from engines.runtimes.base import Array, Network, Runtime, tensors
from engines.scene.scene import Scene

REQUIRED: tuple[Role, ...] = (
    "audio_encoder",
    "text_encoder",
    "image_encoder",
    "prompt",
    "vae_encoder_start",
    "vae_encoder",
    "audio_kv",
    "dit",
    "vae_decoder_start",
    "vae_decoder",
)
TOLD: Mapping[str, Callable[[Scene, Manifest], Told]] = {
    "anytalker": told_of_faces,
    "multitalk": told_of_people,
}


class WanRoom:
    """One room on the networks of AnyTalker or MultiTalk.

    Opening it encodes the picture, the gray clip behind it and the prompt, lets the audio encoder
    hear silence until it has forgotten all else, fills the sink with the picture and gives the
    decoder its past; from then on each chunk costs the same.

    Raises:
        ArtifactError: when the bundle's networks do not fit each other or the manifest.
        InputError: when a person is too small for the bundle's tokens.
    """

    def __init__(
        self,
        runtime: Runtime,
        networks: Mapping[Role, Network],
        manifest: Manifest,
        tokenizer: PromptTokenizer,
        scene: Scene,
    ) -> None:
        rule = _checked(networks, manifest)
        self._manifest = manifest
        self._runtime = runtime
        self._tokenizer = tokenizer
        told = TOLD[manifest.architecture](scene, manifest)
        clip = encode_clip(runtime, networks, scene, rule.clip_frames)
        self._given = given_frames(clip, told.moving)
        self._wiring = wiring = Wiring(runtime)
        self._audio = StateLoop(wiring, networks["audio_encoder"])
        entry = networks["audio_kv"].entry
        # The encoder says [P, ...], this network takes [B, P, ...].
        self._features = wiring.add(tensors(entry.inputs)["features"], "features:batch")
        self._audio_kv = wiring.bind(networks["audio_kv"], {"features": self._features})
        self._dit = Denoiser(runtime, wiring, networks["dit"], manifest, scene.size)
        self._decoder = StateLoop(wiring, networks["vae_decoder"])
        self._look(networks, scene, told)
        self._encode_prompt = [
            wiring.bind(networks[role]) for role in ("text_encoder", "prompt") if role in networks
        ]
        self.set_prompt(scene.prompt)
        self._quiet = self._settle(rule)
        self._begin(networks, clip[None, :, :1])

    def make(
        self, samples: NDArray[np.float32], noise: np.random.Generator, steps: int | None
    ) -> Made:
        parts = Parts(self._runtime)
        parts.measure("audio", lambda: self._hear(samples))
        first, count = self._dit.chunk_number * self._manifest.chunk_frames, len(self._given)
        if first < count:  # from then on it has been told
            self._tell(np.minimum(np.arange(1, self._manifest.chunk_frames + 1) + first, count - 1))
        parts.measure("denoise", lambda: self._dit.denoise(noise, steps))
        parts.beside(("cache", self._dit.remember), ("decode", self._decoder.run))
        pixels = self._wiring["pixels"].read()
        return Made(pixels[0].copy(), parts.ms)

    def listen(self, samples: NDArray[np.float32]) -> None:
        self._wiring["samples"].write(samples)
        self._audio.run()

    def hush(self, person: int) -> None:
        self._audio.restore_person(self._quiet, person)

    def set_prompt(self, prompt: str) -> None:
        tokens = self._wiring["tokens"]
        numbers = self._tokenizer.encode(prompt, tokens.spec.shape[1])
        if not numbers.any():
            numbers[0, 0] = PADDING + 1  # an encoder needs a token to look at
        tokens.write(numbers)
        self._wiring["token_mask"].write((numbers != PADDING).astype(np.int64))
        for call in self._encode_prompt:
            call.run()

    def close(self) -> None:
        self._wiring.clear()

    def _hear(self, samples: NDArray[np.float32]) -> None:
        self.listen(samples)
        self._speak()

    def _speak(self) -> None:
        """Make keys and values of what was heard last."""
        self._features.write(self._wiring["features"].read()[None])
        self._audio_kv.run()

    def _look(self, networks: Mapping[Role, Network], scene: Scene, told: Told) -> None:
        """Encode the picture and the faces for the transformer's attention, once."""
        wiring = self._wiring
        encode = wiring.bind(networks["image_encoder"])
        pictures = wiring["pictures"]
        side = pictures.spec.shape[-1]
        if "face_encoder" in networks:
            project = wiring.bind(networks["face_encoder"])
            tokens = []
            for face in face_pictures(scene):
                pictures.write(clip_input(face, side))
                encode.run()
                tokens.append(wiring["image_tokens"].read()[0].copy())
            wiring["face_tokens"].write(np.stack(tokens)[None])
            project.run()
        pictures.write(clip_input(picture_planes(scene), side))
        encode.run()
        if "people" in wiring:  # one person alone needs no binding
            buffer = wiring["people"]
            buffer.write(np.ascontiguousarray(told.people[None], buffer.spec.dtype))

    def _settle(self, rule: WanConditions) -> dict[str, Array]:
        """Let the audio encoder hear silence, and give the state that this leaves."""
        chunk = self._manifest.chunk_samples
        past = rule.audio_past_frames * SAMPLES_PER_FRAME + self._manifest.look_ahead_samples
        for _ in range(-(-past // chunk) + 1):
            self._audio.run()  # `samples` is still zeros
        return self._audio.save()

    def _begin(self, networks: Mapping[Role, Network], picture: Array) -> None:
        """Begin the stream with the picture's latent [B, C, 1, h, w], everybody silent."""
        self._speak()
        self._tell(np.zeros(self._manifest.chunk_frames, np.int64))
        self._dit.make_sink(picture)
        start = networks["vae_decoder_start"]
        first = {
            "latent": self._wiring.add(tensors(start.entry.inputs)["latent"], "latent:start"),
            "pixels": self._wiring.add(tensors(start.entry.outputs)["pixels"], "pixels:start"),
        }
        first["latent"].write(np.ascontiguousarray(picture))
        self._decoder.first(self._wiring, start, first).run()

    def _tell(self, frames: NDArray[np.int64]) -> None:
        """Say what is given of latent frames [F] of the clip."""
        buffer = self._wiring["reference"]
        given = self._given[frames].transpose(1, 0, 2, 3)[None]
        buffer.write(np.ascontiguousarray(given, buffer.spec.dtype))


def _checked(networks: Mapping[Role, Network], manifest: Manifest) -> WanConditions:
    required = (*REQUIRED, *(("face_encoder",) if manifest.architecture == "anytalker" else ()))
    missing = [role for role in required if role not in networks]
    if missing or manifest.wan is None:
        raise ArtifactError(f"the bundle has no {', '.join(missing) or 'wan'}; export it anew")
    return manifest.wan
