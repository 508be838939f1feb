"""Offers as strangers send them: measured, checked, and reduced to what we can do.

Text goes in and text comes out, so that aiortc only ever reads what is allowed: candidates by the
policy, Opus for sound, and for pictures the one codec that the room encodes for this viewer.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from streamer.errors import InvalidInput
from streamer.webrtc.candidates import CandidatePolicy, parse_candidate
from streamer.webrtc.ends import Codec

Direction: TypeAlias = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
SENDS: frozenset[Direction] = frozenset({"sendrecv", "sendonly"})
RECEIVES: frozenset[Direction] = frozenset({"sendrecv", "recvonly"})
DIRECTIONS: tuple[Direction, ...] = ("sendrecv", "sendonly", "recvonly", "inactive")
ABOUT_FORMAT = re.compile(r"a=(?:rtpmap|fmtp|rtcp-fb):(\S+)")
# Simulcast and its restrictions would offer several encodings; we read the one.
DROPPED = re.compile(r"a=(?:rid|simulcast|candidate|end-of-candidates)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class SdpLimits:
    """What a stranger may send."""

    most_bytes: int = 64 * 1024
    most_candidates: int = 100
    most_lines: int = 4000
    most_line: int = 4096


class Format(NamedTuple):
    """One payload type of a media section."""

    name: str  # lower case: "opus", "vp8", "rtx"
    rate: int
    parameters: str  # of its a=fmtp, may be empty


class Section(NamedTuple):
    """One m= section: its lines, the m= line first."""

    lines: tuple[str, ...]

    @property
    def kind(self) -> str:
        return self.lines[0][2:].split(" ", 1)[0]

    @property
    def formats(self) -> dict[str, Format]:
        """By payload type, as in the m= line: what the client likes best comes first."""
        maps = dict(_values(self.lines, "rtpmap"))
        parameters = dict(_values(self.lines, "fmtp"))
        found = {}
        for number in self.lines[0].split()[3:]:
            name, _, rest = maps.get(number, "").partition("/")
            rate = rest.partition("/")[0]
            if name and rate.isdigit() and number.isdigit():
                found[number] = Format(name.lower(), int(rate), parameters.get(number, ""))
        return found

    def direction(self, otherwise: Direction) -> Direction:
        stated = {line[2:] for line in self.lines}
        return next((each for each in DIRECTIONS if each in stated), otherwise)


class Offer(NamedTuple):
    """An offer that can be answered."""

    text: str  # for aiortc
    directions: dict[str, Direction]  # of "audio" and "video", as the client means them
    main_mid: str  # of the section whose transport all share
    slow_candidates: tuple[str, ...]  # names to be asked for in the network; added later
    refused_candidates: int
    has_foreign_video: bool  # declined, in codecs that aiortc cannot read; see `decline_video`


def read_sections(text: str, limits: SdpLimits) -> tuple[tuple[str, ...], list[Section]]:
    """Split an offer in the session's lines and the media sections.

    Raises:
        InvalidInput: when it is too large or no session description.
    """
    if len(text.encode()) > limits.most_bytes:
        raise InvalidInput(f"an offer may have {limits.most_bytes} bytes, got {len(text.encode())}")
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    if len(lines) > limits.most_lines or max(map(len, lines)) > limits.most_line:
        raise InvalidInput(
            f"an offer may have {limits.most_lines} lines of {limits.most_line} characters"
        )
    if lines[0] != "v=0" or not all(re.match(r"[a-z]=[^\0\r]", line) for line in lines):
        raise InvalidInput("the offer is no SDP: lines like v=0, o=..., m=... are expected")
    candidates = sum(line.startswith("a=candidate:") for line in lines)
    if candidates > limits.most_candidates:
        raise InvalidInput(
            f"an offer may have {limits.most_candidates} candidates, got {candidates}"
        )
    starts = [n for n, line in enumerate(lines) if line.startswith("m=")]
    cuts = [*starts, len(lines)]
    sections = [Section(tuple(lines[a:b])) for a, b in itertools.pairwise(cuts)]
    return tuple(lines[: cuts[0]]), sections


def offered_codecs(text: str, limits: SdpLimits | None = None) -> tuple[Codec, ...]:
    """Say which of our codecs a client can play, the one it likes best first.

    Raises:
        InvalidInput: when the offer cannot be read.
    """
    _, sections = read_sections(text, limits or SdpLimits())
    formats = [f for s in sections if s.kind == "video" for f in s.formats.values()]
    liked: dict[Codec, None] = {}
    for form in formats:
        if form.name == "vp8":
            liked["vp8"] = None
        elif form.name == "h264" and _is_our_h264(form):
            liked["h264"] = None
    return tuple(liked)


def prepare_offer(
    text: str, *, codec: Codec | None, policy: CandidatePolicy, limits: SdpLimits
) -> Offer:
    """Check an offer and reduce it.

    Args:
        text: what the client sent.
        codec: of the pictures we would send; None when we send none.
        policy: which candidates we keep.
        limits: how much it may be.

    Raises:
        InvalidInput: when it is too large, cannot be read, or asks for what we cannot do.
    """
    session, sections = read_sections(text, limits)
    kinds = [section.kind for section in sections]
    for kind in ("audio", "video", "application"):
        if kinds.count(kind) > 1:
            raise InvalidInput(f"one {kind} section at most, got {kinds.count(kind)}")
    odd = set(kinds) - {"audio", "video", "application"}
    if odd or not set(kinds) & {"audio", "video"}:
        got = ", ".join(sorted(odd)) or "none"
        raise InvalidInput(f"want audio and video sections, got {got}")
    stated = [each for each in DIRECTIONS if f"a={each}" in session]
    otherwise = stated[0] if stated else DIRECTIONS[0]
    kept: list[str] = [line for line in session if not DROPPED.match(line)]
    slow: list[str] = []
    refused, directions, is_foreign = 0, {}, False
    for section in sections:
        quick, late, dropped = _allowed(section, policy)
        refused += dropped
        slow += late
        is_foreign = is_foreign or _is_foreign(section, codec)
        kept += [*_reduced(section, codec), *quick]
        if section.kind != "application":
            directions[section.kind] = section.direction(otherwise)
    main = _main_mid(session, sections)
    text = "\r\n".join(kept) + "\r\n"
    return Offer(text, directions, main, tuple(slow), refused, is_foreign)


def decline_video(answer: str) -> str:
    """Reject the video section of an answer: port 0, and no part of the bundle (RFC 9143, 7.3.3).

    For offers of pictures that we never take, in a codec that aiortc cannot read (OBS and FFmpeg
    publish H.264 alone): it reads VP8 in its place, which the client must not see.
    """
    lines = answer.replace("\r\n", "\n").rstrip("\n").split("\n")
    starts = [n for n, line in enumerate(lines) if line.startswith("m=")]
    session = lines[: starts[0]]
    kept: list[str] = []
    for start, end in itertools.pairwise([*starts, len(lines)]):
        section = Section(tuple(lines[start:end]))
        if section.kind != "video":
            kept += section.lines
            continue
        mid = next(line for line in section.lines if line.startswith("a=mid:"))
        parts = section.lines[0].split()
        kept += [f"m=video 0 {' '.join(parts[2:])}", "c=IN IP4 0.0.0.0", mid, "a=inactive"]
        gone = mid.removeprefix("a=mid:")
        session = [_without(line, gone) for line in session]
    return "\r\n".join([*session, *kept]) + "\r\n"


def _without(line: str, mid: str) -> str:
    """Take a section out of the bundle, if this line names it."""
    if not line.startswith("a=group:BUNDLE"):
        return line
    return " ".join(part for part in line.split() if part != mid)


def allowed_candidates(fragment: str, policy: CandidatePolicy, limits: SdpLimits) -> list[str]:
    """Give the candidates of a trickle fragment that are allowed, without a=.

    Raises:
        InvalidInput: when it is too large or no fragment.
    """
    if len(fragment.encode()) > limits.most_bytes:
        raise InvalidInput(f"a fragment may have {limits.most_bytes} bytes")
    found: list[str] = []
    for line in filter(None, fragment.replace("\r\n", "\n").split("\n")):
        if not re.match(r"[a-z]=[^\0]", line):
            raise InvalidInput("the fragment is no SDP: lines like a=candidate:... are expected")
        named = parse_candidate(line[2:])
        if named is not None and policy.allows(named):
            found.append(line[2:])
    if len(found) > limits.most_candidates:
        raise InvalidInput(f"a fragment may have {limits.most_candidates} candidates")
    return found


def _values(lines: tuple[str, ...], name: str) -> list[tuple[str, str]]:
    """The pairs (payload type, value) of a=name lines."""
    start = f"a={name}:"
    said = [line.removeprefix(start).split(" ", 1) for line in lines if line.startswith(start)]
    return [(pair[0], pair[1].strip()) for pair in said if len(pair) == 2]


def _is_our_h264(form: Format) -> bool:
    """Constrained or plain baseline in packetization mode 1, which every browser offers."""
    said = form.parameters.replace(" ", "").lower()
    is_baseline = re.search("profile-level-id=42[ce0]0", said) is not None
    return "packetization-mode=1" in said and is_baseline


def _main_mid(session: tuple[str, ...], sections: list[Section]) -> str:
    """The section that BUNDLE names first: every other one uses its transport."""
    mids = [line[6:].strip() for s in sections for line in s.lines if line.startswith("a=mid:")]
    groups = [line.split()[1:] for line in session if line.startswith("a=group:BUNDLE")]
    if not groups and len(sections) == 1 and len(mids) <= 1:
        return mids[0] if mids else ""
    if len(mids) != len(sections) or len(set(mids)) != len(mids):
        raise InvalidInput("every section of an offer must have one a=mid of its own")
    if len(groups) != 1 or sorted(groups[0]) != sorted(mids):
        raise InvalidInput("an offer must bundle all its sections (a=group:BUNDLE)")
    if groups[0][0] != mids[0]:
        # aiortc would stop the transport that all share, and leak its socket.
        raise InvalidInput("an offer must bundle with its first section first (a=group:BUNDLE)")
    return groups[0][0]


def _allowed(section: Section, policy: CandidatePolicy) -> tuple[list[str], list[str], int]:
    """Give a section's candidates: those at once, those for later, how many are refused.

    A name in .local is looked up by multicast, which may take a second or fail: nobody's answer
    waits for that.
    """
    quick: list[str] = []
    slow: list[str] = []
    lines = [line for line in section.lines if line.startswith("a=candidate:")]
    for line in lines:
        named = parse_candidate(line[2:])
        if named is not None and policy.allows(named):
            (slow if named.host.lower().endswith(".local") else quick).append(line)
    refused = len(lines) - len(quick) - len(slow)
    if "a=end-of-candidates" in section.lines and not slow:
        quick.append("a=end-of-candidates")
    return quick, [line[2:] for line in slow], refused


def _reduced(section: Section, codec: Codec | None) -> list[str]:
    """Give a section's lines without candidates and without formats that we do not use."""
    if section.kind == "application":
        return [line for line in section.lines if not DROPPED.match(line)]
    if _is_foreign(section, codec):
        first = section.lines[0].split()[:4]
        rest = [x for x in section.lines[1:] if not (DROPPED.match(x) or ABOUT_FORMAT.match(x))]
        return [" ".join(first), *rest, f"a=rtpmap:{first[3]} VP8/90000"]
    numbers = _used(section, codec)
    if not numbers:
        wanted = "Opus at 48 kHz" if section.kind == "audio" else (codec or "vp8").upper()
        raise InvalidInput(f"the offer's {section.kind} has no {wanted}; this room sends no other")
    head = " ".join([*section.lines[0].split()[:3], *numbers])
    others = [line for line in section.lines[1:] if not DROPPED.match(line)]
    kept = []
    for line in others:
        about = ABOUT_FORMAT.match(line)
        if about is None or about[1] in numbers:
            kept.append(line)
    return [head, *kept]


def _is_foreign(section: Section, codec: Codec | None) -> bool:
    """Whether a section's pictures, which we decline, come in codecs that aiortc cannot read."""
    is_declined = section.kind == "video" and codec is None
    return is_declined and bool(section.formats) and not _used(section, codec)


def _used(section: Section, codec: Codec | None) -> list[str]:
    """The payload types of a section that are of use, with their retransmission formats."""
    formats = section.formats
    if section.kind == "audio":
        return [n for n, f in formats.items() if (f.name, f.rate) == ("opus", 48_000)][:1]
    wanted = codec or "vp8"  # where we send no pictures the section is declined, in some codec
    main = [
        n
        for n, f in formats.items()
        if f.name == wanted and f.rate == 90_000 and (wanted == "vp8" or _is_our_h264(f))
    ][:1]
    again = [n for n, f in formats.items() if f.name == "rtx" and main and _repeats(f, main[0])]
    return [*main, *again[:1]]


def _repeats(form: Format, number: str) -> bool:
    """Whether a retransmission format is for a payload type."""
    return form.parameters.replace(" ", "").partition(";")[0] == f"apt={number}"
