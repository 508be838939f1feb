"""The stream of a toy as `models/` makes it: nothing exported, no ring, no numpy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import sentencepiece
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.scene.scene import Scene
from models.anytalker.dit import AnyTalkerDiT
from models.anytalker.masks import picture_mask, square_box, token_masks
from models.encoders.clip import image_context
from models.encoders.umt5 import text_context
from models.encoders.wav2vec2_streaming import StreamingWav2Vec2
from models.encoders.waveform import multitalk_audio
from models.multitalk.dit import MultiTalkDiT
from models.people import Box, box_mask, with_background
from models.sampling.schedules import Schedule
from models.sampling.solvers import EulerSolver
from models.wan.dit import Prediction
from models.wan.kv_cache import CacheSpec, KVCache
from models.wan.rollout import make_chunk
from tests.engines.architectures.wan_toys import LIVE, STREAMING, TEXT_LEN, TIMESTEPS, Toy

FRAME_SAMPLES = 640


class Expected(NamedTuple):
    """One chunk."""

    latent: Tensor  # [1, 16, F, h, w]
    pixels: NDArray[np.uint8]  # [T, H, W, 3]


class Conditions(NamedTuple):
    """What the transformer is told of scene and clip."""

    given: Tensor  # [1, 20, K, h, w]
    image_tokens: Tensor
    people: Tensor  # regions of MultiTalk, masks of AnyTalker
    face_tokens: Tensor | None


class TorchStream:
    """A stream of one toy. Prompts may change from chunk to chunk."""

    def __init__(self, toy: Toy[AnyTalkerDiT] | Toy[MultiTalkDiT], scene: Scene, seed: int) -> None:
        self.toy = toy
        self.noise = np.random.default_rng(seed)
        file = toy.bundle.manifest.tokenizer.file
        assert file is not None
        self.pieces = sentencepiece.SentencePieceProcessor(
            model_file=str(toy.bundle.folder / file.path)
        )
        pixels = torch.tensor(scene.picture).permute(2, 0, 1).float()
        self.picture = pixels / 127.5 - 1
        self.told = self._conditions(scene)
        self.prompt = scene.prompt

    def _conditions(self, scene: Scene) -> Conditions:
        modules, frames = self.toy.modules, STREAMING.clip_frames
        assert frames is not None
        height, width = self.picture.shape[1:]
        gray = torch.zeros(3, 4 * (frames - 1), height, width)
        clip = modules.vae.encode(torch.cat([self.picture[:, None], gray], dim=1)[None])
        size = (clip.shape[3], clip.shape[4])
        tokens = image_context(modules.clip, self.picture[None])
        if isinstance(modules.dit, MultiTalkDiT):
            regions = with_background(torch.tensor(scene.masks).float())[None]
            regions = torch.nn.functional.interpolate(regions, size)  # nearest
            mask = torch.zeros(4, frames, *size)
            mask[:, 0] = 1
            given = torch.cat([mask[None], clip], dim=1)
            return Conditions(given, tokens, regions, None)
        boxes = [square_box(Box(*box), height, width) for box in scene.boxes]
        masks = torch.stack([box_mask(box, height, width) for box in boxes])
        crops = [
            self.picture[:, int(box.top) : int(box.bottom), int(box.left) : int(box.right)]
            for box in boxes
        ]
        faces = torch.stack([image_context(modules.clip, crop[None])[0] for crop in crops])
        given = torch.cat([picture_mask(masks, frames, size)[None], clip], dim=1)
        return Conditions(given, tokens, token_masks(masks, size)[None], faces[None])

    def text(self) -> list[Tensor]:
        """Encode the prompt as the text encoder's authors do, its end included."""
        ids = [*self.pieces.encode(self.prompt)[: TEXT_LEN - 1], self.pieces.eos_id()]
        tokens = torch.tensor([ids + [0] * (TEXT_LEN - len(ids))])
        return text_context(self.toy.modules.text, tokens, (tokens != 0).long())

    def windows(self, voices: Tensor) -> tuple[Tensor, Tensor]:
        """Hear voices [P, n] after silence: windows of a silent latent frame, and of what is said.

        Both are [1, P, T, 5, L, C].
        """
        step = 4 * STREAMING.chunk_frames  # one run of the transformer hears a chunk
        live = replace(LIVE, hop_frames=step)
        stream = StreamingWav2Vec2(self.toy.modules.speech, multitalk_audio(), live)
        quiet = 1 + 6 * step
        heard = []
        for voice in voices:
            silence = torch.zeros(quiet * FRAME_SAMPLES)
            features, _ = stream.step(torch.cat([silence, voice]), stream.begin())
            heard.append(features.windows)
        windows = torch.stack(heard)[None]
        early = slice(quiet - step - 4, quiet - step)  # nothing of the voice is within its reach
        return windows[:, :, early], windows[:, :, quiet:]

    def run(
        self, latent: Tensor, timestep: Tensor, given: Tensor, windows: Tensor, past: KVCache
    ) -> Prediction:
        """One pass of the transformer with this stream's scene."""
        dit, told = self.toy.modules.dit, self.told
        joined = torch.cat([latent, given], dim=1)
        if isinstance(dit, MultiTalkDiT):
            labels = dit.encode_scene(self.text(), told.image_tokens, told.people)
            voices = dit.encode_audio(windows, starts_stream=False)
            spoken: Prediction = dit(joined, timestep, labels, voices, past)
            return spoken
        assert told.face_tokens is not None
        scene = dit.encode_scene(self.text(), told.image_tokens, told.face_tokens, told.people)
        paired = dit.encode_audio(windows, starts_stream=False)
        heard: Prediction = dit(joined, timestep, scene, paired, past)
        return heard

    @torch.inference_mode()
    def chunks(self, voices: Tensor) -> Iterator[Expected]:
        """Make chunk after chunk, as long as the voices [P, n] and their look-ahead last."""
        streaming, given = STREAMING, self.told.given
        frames, last = streaming.chunk_frames, given.shape[2] - 1
        silent, windows = self.windows(voices)
        spec = CacheSpec(
            sink_frames=1,
            capacity_frames=1 + streaming.window_frames + frames,
            max_position=last + 1,
        )
        picture = given[:, 4:, :1]
        made = self.run(picture, torch.zeros(1), given[:, :, :1], silent, KVCache(spec))
        cache = KVCache(spec).append(made.kv, 1)
        _, decoder = self.toy.modules.vae.decode_chunk(picture, None)
        levels = torch.tensor([*TIMESTEPS, 0.0])
        solver = EulerSolver(schedule=Schedule(timesteps=levels[:-1], sigmas=levels / 1000))
        for number in range(windows.shape[2] // (4 * frames)):
            shown = torch.arange(frames) + 1 + number * frames
            told = given[:, :, shown.clamp(max=last)]
            heard = windows[:, :, 4 * frames * number : 4 * frames * (number + 1)]
            noise = self.noise.standard_normal((1, 16, frames, *given.shape[3:]), np.float32)

            def one_pass(
                latent: Tensor,
                timestep: Tensor,
                past: KVCache,
                told: Tensor = told,
                heard: Tensor = heard,
            ) -> Prediction:
                return self.run(latent, timestep, told, heard, past)

            x0, cache = make_chunk(one_pass, torch.tensor(noise), solver, cache)
            video, decoder = self.toy.modules.vae.decode_chunk(x0, decoder)
            levels_of_gray = ((video[0].clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
            yield Expected(x0, levels_of_gray.permute(1, 2, 3, 0).numpy())
