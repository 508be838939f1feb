"""Which sound belongs to which person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.errors import InputError
from training.metrics.video import Samples, VideoFormat, read_sound


class Voices(NamedTuple):
    """The sound of a video, by person from the left."""

    samples: tuple[Samples, ...]  # one for each person; one in all when mixed; none at all
    is_mixed: bool  # several people share one track: who speaks is unknown
    source: str  # for the report

    def of(self, seat: int) -> Samples:
        """Give the best known sound of a person: their own, else everybody's, else silence."""
        if not self.samples:
            return np.zeros(0, np.float32)
        return self.samples[0 if self.is_mixed else seat]


def gather_voices(video: Path, form: VideoFormat, given: Mapping[int, Path], people: int) -> Voices:
    """Read the voices from the given files by seat, else from the video's own tracks.

    A seat without a file among files for others is silent. As many tracks as people are one each;
    any other number but none is taken as a mix, of which the first track is read.

    Raises:
        InputError: when a file is for a seat that nobody has, or cannot be read.
    """
    if given:
        wrong = [seat for seat in given if not 0 <= seat < people]
        if wrong:
            raise InputError(f"--audio {wrong[0]}=... : seats are 0 to {people - 1}, from the left")
        silence = np.zeros(0, np.float32)
        return Voices(
            tuple(read_sound(given[s]) if s in given else silence for s in range(people)),
            is_mixed=False,
            source="a file for each person",
        )
    if form.audio_tracks == 0:
        return Voices((), is_mixed=False, source="none")
    if form.audio_tracks == people:
        tracks = tuple(read_sound(video, track) for track in range(people))
        return Voices(tracks, is_mixed=False, source="a track of the video for each person")
    mix = (read_sound(video),)
    return Voices(mix, is_mixed=True, source="one mixed track of the video")


def files_by_seat(options: Sequence[str]) -> dict[int, Path]:
    """Read options SEAT=FILE, seats counted from 0 at the left.

    Raises:
        InputError: when one has another form, names a missing file, or a seat is named twice.
    """
    found: dict[int, Path] = {}
    for option in options:
        seat, is_pair, name = option.partition("=")
        if not is_pair or not seat.isdecimal():
            raise InputError(f"want SEAT=FILE, such as 0=left.wav, got {option!r}")
        if int(seat) in found:
            raise InputError(f"seat {seat} has two files: {found[int(seat)]} and {name}")
        if not Path(name).is_file():
            raise InputError(f"{name} does not exist (given as {option!r})")
        found[int(seat)] = Path(name)
    return found
