"""What a peer connection is tied to: a seat that takes a voice, a viewer that gives what to send.

Rooms have both; connections know no more of a room than this.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Codec: TypeAlias = Literal["vp8", "h264"]


class VoiceSink(Protocol):
    """A seat. Calls are quick and on the event loop."""

    @property
    def ended(self) -> str | None:
        """Why nothing more is taken; None while it is."""
        ...

    def push(self, samples: NDArray[Any]) -> None:
        """Take mono float32 samples [n] at 16 kHz.

        Raises:
            Ended: when nothing more is taken.
        """
        ...

    def report_voice(self, *, is_speaking: bool) -> None:
        """Hear that somebody began or ceased to speak."""
        ...


class Picture(Protocol):
    """One encoded picture, shared with other viewers."""

    @property
    def payload(self) -> bytes: ...

    @property
    def pts(self) -> int:
        """At 90 kHz."""
        ...


class Sound(Protocol):
    """Some sound, shared with all who hear the same."""

    @property
    def samples(self) -> NDArray[np.int16]:
        """A multiple of 960, mono at 48 kHz."""
        ...

    @property
    def pts(self) -> int:
        """At 48 kHz."""
        ...


class Watched(Protocol):
    """A viewer's share of a room. Both queues have one reader each and are bounded by the room.

    What is given must be sent at once: a browser takes the moment of sending for the moment that
    a time stamp means.
    """

    @property
    def codec(self) -> Codec: ...

    async def next_picture(self) -> Picture:
        """Wait for the next picture; the first is a keyframe.

        Raises:
            Ended: when there will be none.
        """
        ...

    async def next_sound(self) -> Sound:
        """Wait for the next sound.

        Raises:
            Ended: when there will be none.
        """
        ...

    def ask_for_keyframe(self) -> None:
        """Packets were lost; often called, rarely answered."""
        ...

    def report_bitrate(self, bits_per_second: int) -> None:
        """Hear what the line can carry."""
        ...
