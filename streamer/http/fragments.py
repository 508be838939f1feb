"""What HTTP must know of an offer or a trickle fragment; peers read the rest.

Source: RFC 8840 (trickle-ice-sdpfrag), RFC 8839 (ice-ufrag, candidate).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from streamer.http.problem import Code, Problem

_UFRAG = re.compile(r"^a=ice-ufrag:([A-Za-z0-9+/=_-]{1,256})\s*$", re.MULTILINE)
_CANDIDATE = re.compile(r"^a=candidate:", re.MULTILINE)


class Described(NamedTuple):
    """What an offer or a fragment says about ICE."""

    text: str  # lines end in CR LF
    ufrags: frozenset[str]
    candidates: int

    def is_restart_of(self, offer: Described) -> bool:
        """Say whether this fragment asks for other ICE credentials than the offer had."""
        return bool(self.ufrags) and not self.ufrags & offer.ufrags


def describe(body: bytes, most_candidates: int) -> Described:
    """Read a body of SDP, or of a fragment of it.

    Raises:
        Problem: when it is no text, or holds more candidates than a session may have.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Problem(Code.MALFORMED, "the body is not UTF-8 text") from error
    if "\0" in text:
        raise Problem(Code.MALFORMED, "the body holds a zero byte")
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    candidates = len(_CANDIDATE.findall(lines))
    if candidates > most_candidates:
        raise Problem(
            Code.TOO_LARGE,
            f"{candidates} candidates, and a session may have {most_candidates}; send fewer",
        )
    return Described(lines.replace("\n", "\r\n"), frozenset(_UFRAG.findall(lines)), candidates)


def describe_offer(body: bytes, most_candidates: int) -> Described:
    """Read an offer.

    Raises:
        Problem: as `describe`, and when it is not the beginning of a session description.
    """
    offer = describe(body, most_candidates)
    if not offer.text.startswith("v=0\r\n") or "\r\nm=" not in offer.text:
        raise Problem(
            Code.MALFORMED, "the body is no SDP offer: it needs v=0 first, and a media section"
        )
    return offer
