from __future__ import annotations

import asyncio

import pytest
from aiortc import RTCPeerConnection
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import InvalidInput
from streamer.webrtc.aiortc_seams import listen_on
from streamer.webrtc.candidates import CandidatePolicy
from streamer.webrtc.ends import Codec
from streamer.webrtc.factory import PeerFactory
from streamer.webrtc.sdp import (
    Offer,
    SdpLimits,
    allowed_candidates,
    offered_codecs,
    prepare_offer,
)
from tests.streamer.fuzzing import budget
from tests.streamer.webrtc.stand_ins import LOCAL, Ear, Seen
from tests.streamer.webrtc.udp_relay import HOST
from tests.streamer.webrtc.virtual_time import run

POLICY, LIMITS = CandidatePolicy(), SdpLimits()
BROWSER = """v=0
o=- 1 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 110
c=IN IP4 0.0.0.0
a=candidate:1 1 udp 2122260223 192.168.1.7 50001 typ host
a=candidate:2 1 udp 2122260222 0a1b2c3d.local 50003 typ host
a=candidate:3 1 udp 1686052607 9.9.9.9 50002 typ srflx raddr 0.0.0.0 rport 0
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuvwx
a=fingerprint:sha-256 AB:CD
a=setup:actpass
a=mid:0
a=sendrecv
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:110 telephone-event/48000
m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 104 105 45
c=IN IP4 0.0.0.0
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuvwx
a=fingerprint:sha-256 AB:CD
a=setup:actpass
a=mid:1
a=recvonly
a=rtcp-mux
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 goog-remb
a=rtcp-fb:96 nack pli
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:102 H264/90000
a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42001f
a=rtpmap:103 rtx/90000
a=fmtp:103 apt=102
a=rtpmap:104 H264/90000
a=fmtp:104 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
a=rtpmap:105 rtx/90000
a=fmtp:105 apt=104
a=rtpmap:45 AV1/90000
a=rid:h send
a=simulcast:send h
""".replace("\n", "\r\n")


def prepare(text: str, codec: Codec | None = "vp8", policy: CandidatePolicy = POLICY) -> Offer:
    return prepare_offer(text, codec=codec, policy=policy, limits=LIMITS)


def test_an_offer_is_reduced_to_what_the_room_sends() -> None:
    offer = prepare(BROWSER)
    assert "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" in offer.text
    assert "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n" in offer.text
    for gone in ("G722", "red/", "H264", "AV1", "rtpmap:103", "rid", "simulcast"):
        assert gone not in offer.text
    for kept in ("useinbandfec=1", "rtcp-fb:96 nack pli", "apt=96", "a=rtcp-mux"):
        assert kept in offer.text
    assert offer.directions == {"audio": "sendrecv", "video": "recvonly"}
    assert offer.main_mid == "0"


def test_h264_is_taken_in_the_mode_that_is_sent() -> None:
    assert "m=video 9 UDP/TLS/RTP/SAVPF 104 105\r\n" in prepare(BROWSER, "h264").text


def test_what_a_client_likes_is_said_in_its_order() -> None:
    assert offered_codecs(BROWSER) == ("vp8", "h264")
    assert offered_codecs(BROWSER.replace(" 96 97 102", " 104 96 97 102")) == ("h264", "vp8")


def test_candidates_are_kept_by_the_policy_and_names_wait() -> None:
    strict = prepare(BROWSER)
    assert "9.9.9.9" in strict.text
    assert "192.168.1.7" not in strict.text
    assert (strict.refused_candidates, strict.slow_candidates) == (2, ())
    open_ = prepare(BROWSER, policy=CandidatePolicy(allow_private=True))
    assert "192.168.1.7" in open_.text
    assert ".local" not in open_.text
    assert [line.split()[4] for line in open_.slow_candidates] == ["0a1b2c3d.local"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("v=0", "hello", "no SDP"),
        ("a=mid:1", "a=mid:1" + "\r\na=candidate:x" * 100, "100 candidates"),
        ("a=mid:1", "a=mid:1\r\na=" + "x" * 65536, "65536 bytes"),
        ("a=mid:1", "a=mid:1\r\na=" + "x" * 5000, "4096 characters"),
        ("m=video 9", "m=audio 9", "one audio section"),
        ("m=video 9", "m=message 9", "audio and video"),
        ("a=group:BUNDLE 0 1\r\n", "", "bundle"),
        ("VP8", "VP9", "no VP8"),
        ("opus", "speex", "no Opus"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_reason(old: str, new: str, said: str) -> None:
    assert old in BROWSER
    with pytest.raises(InvalidInput, match=said):
        prepare(BROWSER.replace(old, new, 1))


def test_an_offer_without_sections_is_refused() -> None:
    with pytest.raises(InvalidInput, match="none"):
        prepare("v=0\r\ns=-\r\n")


def test_a_fragment_gives_its_allowed_candidates() -> None:
    fragment = (
        "a=ice-ufrag:abcd\r\na=ice-pwd:x\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
        "a=candidate:1 1 udp 1 9.9.9.9 50000 typ host\r\n"
        "a=candidate:1 1 udp 1 10.0.0.1 50000 typ host\r\na=end-of-candidates\r\n"
    )
    found = allowed_candidates(fragment, POLICY, LIMITS)
    assert found == ["candidate:1 1 udp 1 9.9.9.9 50000 typ host"]
    with pytest.raises(InvalidInput, match="no SDP"):
        allowed_candidates("{}", POLICY, LIMITS)
    with pytest.raises(InvalidInput, match="bytes"):
        allowed_candidates("a=x\r\n" * 20000, POLICY, LIMITS)


lines = st.sampled_from(BROWSER.split("\r\n"))
broken = st.one_of(
    lines,
    lines.flatmap(lambda line: st.integers(0, len(line)).map(lambda n: line[:n])),
    st.tuples(lines, st.text(max_size=8)).map("".join),
    st.text(max_size=30),
)


@budget(150)
@given(st.lists(broken, max_size=60), st.sampled_from(["vp8", "h264"]))
def test_any_offer_is_prepared_or_refused(some: list[str], codec: Codec) -> None:
    for text in ("\r\n".join(some), "v=0\r\n" + "\r\n".join(some)):
        try:
            prepare(text, codec)
            offered_codecs(text)
            allowed_candidates(text, POLICY, LIMITS)
        except InvalidInput:
            continue


def test_a_damaged_offer_is_answered_or_refused_and_leaves_nothing() -> None:
    whole = BROWSER.split("\r\n")

    async def answer(text: str) -> bool:
        try:
            peer = await PeerFactory(LOCAL).answer_both(text, Ear(), Seen("vp8"))
        except InvalidInput:
            return False
        await peer.close()
        return True

    async def call() -> None:
        answered = 0
        for at, line in enumerate(whole):
            damages: list[list[str]] = [[], [line] * 2, [line[:-3]], [line + " x"]]
            damaged = [*whole[:at], *damages[at % 4], *whole[at + 1 :]]
            answered += await answer("\r\n".join(damaged))
        assert 20 < answered < len(whole)
        await asyncio.sleep(0.1)  # aiortc looks every 20 ms whether it was closed
        assert len(asyncio.all_tasks()) == 1

    run(call)


def test_a_publisher_that_also_offers_pictures_has_them_declined() -> None:
    async def call() -> None:
        client = RTCPeerConnection()
        client.addTransceiver("audio", "sendonly")
        client.addTransceiver("video", "sendonly")
        offer = await client.createOffer()
        await listen_on(client, [HOST])
        await client.setLocalDescription(offer)
        peer = await PeerFactory(LOCAL).answer_publisher(client.localDescription.sdp, Ear())
        lines = peer.answer.splitlines()
        assert [x for x in lines if x in ("a=recvonly", "a=inactive", "a=sendrecv")] == [
            "a=recvonly",
            "a=inactive",
        ]
        await peer.close()
        await client.close()

    run(call)


def test_a_bundle_that_does_not_begin_with_its_first_section_is_refused() -> None:
    with pytest.raises(InvalidInput, match="first section"):
        prepare(BROWSER.replace("BUNDLE 0 1", "BUNDLE 1 0"))


def test_pictures_in_a_codec_that_we_do_not_read_are_rejected_and_the_voice_is_taken() -> None:
    """OBS and FFmpeg offer H.264 alone, in any profile."""

    async def call() -> None:
        client = RTCPeerConnection()
        client.addTransceiver("audio", "sendonly")
        client.addTransceiver("video", "sendonly")
        offer = await client.createOffer()
        await listen_on(client, [HOST])
        await client.setLocalDescription(offer)
        head, video = client.localDescription.sdp.split("m=video ")
        lines = [x for x in video.split("\r\n")[1:] if not x.startswith(("a=rtpmap", "a=fmtp"))]
        high = "a=fmtp:106 packetization-mode=1;profile-level-id=640c1f"
        video = "\r\n".join(["9 UDP/TLS/RTP/SAVPF 106", *lines, "a=rtpmap:106 H264/90000", high])
        text = head + "m=video " + video + "\r\n"
        peer = await PeerFactory(LOCAL).answer_publisher(text.replace("\r\n\r\n", "\r\n"), Ear())
        lines = peer.answer.splitlines()
        assert "a=group:BUNDLE 0" in lines
        assert lines[-4:] == [
            "m=video 0 UDP/TLS/RTP/SAVPF 106",
            "c=IN IP4 0.0.0.0",
            "a=mid:1",
            "a=inactive",
        ]
        assert "a=recvonly" in lines
        await peer.close()
        await client.close()

    run(call)
