"""The studio architecture: a streaming audio encoder, a block-causal DiT, a streaming decoder.

Shape letters: B batch, P people, T video frames of a chunk, n tokens of a latent frame.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engines.architectures.denoiser import Denoiser
from engines.architectures.moves import moves_from
from engines.architectures.parts import Parts
from engines.architectures.room import Made, Moves
from engines.architectures.wiring import StateLoop, Wiring
from engines.errors import ArtifactError
from engines.manifest import SAMPLE_RATE, Curves, Manifest, Role
from engines.prompts import PromptTokenizer
from engines.runtimes.base import Array, Call, Network, Runtime, tensors
from engines.scene.regions import face_crops, token_regions
from engines.scene.scene import Scene

REQUIRED: tuple[Role, ...] = (
    "audio_encoder",
    "picture_encoder",
    "audio_kv",
    "dit",
    "vae_decoder",
)
OPTIONAL: tuple[Role, ...] = ("acting", "text_encoder", "prompt", "face_encoder")
QUIET_SECONDS = 1.0  # after so much silence an audio encoder has forgotten what was said


class StudioRoom:
    """One room on the studio's networks.

    Opening it encodes the picture and the prompt, lets the audio encoder hear a second of silence
    and fills the sink; from then on each chunk costs the same.

    Raises:
        ArtifactError: when the bundle's networks do not fit each other or the manifest.
    """

    def __init__(
        self,
        runtime: Runtime,
        networks: Mapping[Role, Network],
        manifest: Manifest,
        tokenizer: PromptTokenizer,
        scene: Scene,
    ) -> None:
        self._manifest = manifest
        self._tokenizer = tokenizer
        self._runtime = runtime
        self._wiring = wiring = Wiring(runtime)
        missing = [role for role in REQUIRED if role not in networks]
        if missing:
            raise ArtifactError(f"the bundle has no {', '.join(missing)}; export it anew")
        self._audio = StateLoop(wiring, networks["audio_encoder"])
        self._encode_prompt = [
            wiring.bind(networks[role]) for role in ("text_encoder", "prompt") if role in networks
        ]
        tells = None if "acting" in networks else manifest.curves
        self._audio_kv = _AudioKV(wiring, networks["audio_kv"], tells)
        self._acting = _Acting(wiring, networks["acting"]) if "acting" in networks else None
        self._dit = Denoiser(runtime, wiring, networks["dit"], manifest, scene.size)
        self._decoder = StateLoop(wiring, networks["vae_decoder"])
        self.set_prompt(scene.prompt)
        self._look(networks, scene)
        self._audio_kv.run(is_told=False)  # of zeros: the sink is made before anything is heard
        self._dit.make_sink(wiring["reference"].read())
        self._quiet = self._settle()

    def make(
        self, samples: NDArray[np.float32], noise: np.random.Generator, steps: int | None
    ) -> Made:
        parts = Parts(self._runtime)
        parts.measure("audio", lambda: self._hear(samples, noise))
        parts.measure("denoise", lambda: self._dit.denoise(noise, steps))
        parts.beside(("cache", self._dit.remember), ("decode", self._decoder.run))
        pixels = self._wiring["pixels"].read()
        return Made(pixels[0].copy(), parts.ms, self._moves())

    def listen(self, samples: NDArray[np.float32]) -> None:
        self._wiring["samples"].write(samples)
        self._audio.run()

    def hush(self, person: int) -> None:
        self._audio.restore_person(self._quiet, person)

    def set_prompt(self, prompt: str) -> None:
        if not self._encode_prompt:
            return
        buffer = self._wiring["tokens"]
        buffer.write(self._tokenizer.encode(prompt, buffer.spec.shape[1]))
        for call in self._encode_prompt:
            call.run()

    def close(self) -> None:
        self._wiring.clear()

    def _moves(self) -> Moves | None:
        """Say what was acted that the pictures do not show; None without acting or cells."""
        if "turns" not in self._wiring or "still" not in self._wiring:
            return None
        acted = (self._wiring[name].read() for name in ("turns", "expressions"))
        return moves_from(self._wiring["still"].read(), *acted)

    def _hear(self, samples: NDArray[np.float32], noise: np.random.Generator) -> None:
        self.listen(samples)
        if self._acting is not None:
            self._acting.run(noise)
        self._audio_kv.run()

    def _look(self, networks: Mapping[Role, Network], scene: Scene) -> None:
        """Encode the picture, the faces and the regions of the people, once."""
        wiring = self._wiring
        encode = wiring.bind(networks["picture_encoder"])
        picture = scene.picture.astype(np.float32).transpose(2, 0, 1)[None] / 127.5 - 1
        wiring["picture"].write(np.ascontiguousarray(picture))
        encode.run()
        if "face_encoder" in networks:
            encode = wiring.bind(networks["face_encoder"])
            side = wiring["faces"].spec.shape[-1]
            wiring["faces"].write(face_crops(scene.picture, scene.boxes, side)[None])
            encode.run()
        if "people" in wiring:
            buffer = wiring["people"]
            latent = self._manifest.latent
            regions = token_regions(scene.masks, latent.spatial_stride * latent.patch)
            wanted = buffer.spec.shape[1]
            if wanted > len(regions):  # one more row: what belongs to nobody
                regions = np.concatenate([regions, 1 - regions.max(0, keepdims=True)])
            buffer.write(np.ascontiguousarray(regions[None], buffer.spec.dtype))

    def _settle(self) -> dict[str, Array]:
        """Let the audio encoder hear silence, and give the state that this leaves."""
        chunks = int(np.ceil(QUIET_SECONDS * SAMPLE_RATE / self._manifest.chunk_samples))
        for _ in range(chunks):
            self._audio.run()  # `samples` is still zeros
        return self._audio.save()


class _Acting:
    """Faces and heads of a chunk, made up behind the chunk before; gives `motion` whole."""

    def __init__(self, wiring: Wiring, network: Network) -> None:
        self._loop = StateLoop(wiring, network)
        self._noise = wiring["acting_noise"]

    def run(self, noise: np.random.Generator) -> None:
        spec = self._noise.spec
        self._noise.write(noise.standard_normal(spec.shape, np.float32).astype(spec.dtype))
        self._loop.run()


class _AudioKV:
    """Keys and values of a chunk's voices, once per chunk."""

    def __init__(self, wiring: Wiring, network: Network, curves: Curves | None) -> None:
        self._wiring = wiring
        specs = tensors(network.entry.inputs)
        # The encoder says [P, T, C], this network takes [B, P, T, C].
        self._features = wiring.add(specs["features"], "features:batch")
        self._call: Call = wiring.bind(network, {"features": self._features})
        self._curves = curves  # None: acting tells motion, or nobody does

    def run(self, *, is_told: bool = True) -> None:
        """Compute from what was heard; with is_told False from zeros, and no motion known."""
        if is_told:
            self._features.write(self._wiring["features"].read()[None])
            if self._curves is not None and "motion" in self._wiring:
                self._tell_motion(self._curves)
        self._call.run()

    def _tell_motion(self, rule: Curves) -> None:
        motion, known = self._wiring["motion"], self._wiring["motion_known"]
        curves = self._wiring["curves"].read()
        value = np.zeros(motion.spec.shape, motion.spec.dtype)
        value[0, :, :, rule.first_channel : rule.first_channel + curves.shape[-1]] = curves
        motion.write(value)
        value = np.zeros(known.spec.shape, known.spec.dtype)
        value[..., rule.group] = 1
        known.write(value)
