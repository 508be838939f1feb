"""One encoded clip, and a folder of them.

Shape letters: P people, T video frames, F = T / 4 latent frames, C latent channels, h and w latent
size, R still pictures, S side of a face crop.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError

FORMAT = 3


class Spoken(NamedTuple):
    """A prompt and when it holds."""

    start_frame: int
    end_frame: int
    text: str


class EncodedClip(NamedTuple):
    """What the transformer learns from; everything else of a clip is forgotten."""

    latents: NDArray[np.float16]  # [F, C, h, w]
    stills: NDArray[np.float16]  # [R, C, h, w] of single frames, as references are encoded
    still_frames: NDArray[np.int32]  # [R]
    still_heads: NDArray[np.float16]  # [R, P, 3] yaw, pitch, roll in them
    pictures: NDArray[np.uint8]  # [R, 16 h, 16 w, 3], the stills themselves
    faces: NDArray[np.uint8]  # [R, P, S, S, 3]
    regions: NDArray[np.float16]  # [R, P, h / 2, w / 2] in 0..1
    features: NDArray[np.float16]  # [P, T, 128]
    heard: NDArray[np.float16]  # [P, T, 53] curves and lip gap by the audio encoder
    motion: NDArray[np.float16]  # [P, T, 56] exact curves, lip gap, head
    mouths: NDArray[np.float32]  # [P, T, 2] pixels
    eyes: NDArray[np.float32]  # [P, T, 2, 2] pixels
    face_widths: NDArray[np.float32]  # [P] pixels
    prompts: tuple[Spoken, ...]

    @property
    def people(self) -> int:
        return len(self.motion)

    @property
    def frames(self) -> int:
        """Count the latent frames."""
        return len(self.latents)

    def prompt_at(self, frame: int) -> str:
        """Give the prompt that holds in a video frame."""
        for spoken in self.prompts:
            if spoken.start_frame <= frame < spoken.end_frame:
                return spoken.text
        return self.prompts[0].text if self.prompts else ""


def write_clip(path: Path, clip: EncodedClip) -> None:
    """Write one clip as .npz, under its name only when complete."""
    arrays = {name: value for name, value in clip._asdict().items() if name != "prompts"}
    text = json.dumps({"format": FORMAT, "prompts": [list(each) for each in clip.prompts]})
    unfinished = path.with_suffix(".part.npz")
    np.savez(unfinished, text=np.frombuffer(text.encode(), np.uint8), **arrays)
    unfinished.replace(path)


def read_clip(path: Path) -> EncodedClip:
    """Read one clip.

    Raises:
        InputError: when the file is damaged or of another format.
    """
    try:
        with path.open("rb") as opened, np.load(opened) as file:
            arrays = {name: file[name] for name in file.files}
        described = json.loads(arrays.pop("text").tobytes())
        if described["format"] != FORMAT:
            raise InputError(f"{path} has format {described['format']}, expected {FORMAT}")
        prompts = tuple(Spoken(*each) for each in described["prompts"])
        return EncodedClip(**arrays, prompts=prompts)
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise InputError(f"cannot read the encoded clip {path}: {error}; encode it anew") from error


def film_of(path: Path) -> Path:
    """Name the file of a clip's video, [T, 16 h, 16 w, 3] of 8 bits, beside the clip."""
    return path.with_suffix(".film.npy")


def write_film(path: Path, video: NDArray[np.uint8]) -> None:
    """Write the video of the clip at `path`, under its name only when complete."""
    unfinished = path.with_suffix(".part.npy")
    np.save(unfinished, video)
    unfinished.replace(film_of(path))


def read_film(path: Path, first: int, frames: int) -> NDArray[np.uint8]:
    """Read some frames of the clip at `path`.

    Raises:
        InputError: when there is no such film, or it is damaged or too short.
    """
    try:
        film = np.load(film_of(path), mmap_mode="r")
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot read {film_of(path)}: {error}; run `parley train encode --film`"
        ) from error
    if film.ndim != 4 or film.shape[0] < first + frames:  # frames, rows, columns, colors
        raise InputError(f"{film_of(path)} has shape {film.shape}; encode it anew")
    return np.array(film[first : first + frames])


def clip_files(folder: Path) -> list[Path]:
    """List a folder's clips in order.

    Raises:
        InputError: when there is none.
    """
    files = sorted(path for path in folder.glob("*.npz") if not path.name.endswith(".part.npz"))
    if not files:
        raise InputError(f"{folder} holds no encoded clips; run `parley train encode`")
    return files
