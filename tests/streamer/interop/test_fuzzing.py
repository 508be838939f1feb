"""Damaged offers, fragments, messages and packets against the whole server, while in another room
somebody speaks and somebody watches, who must not notice any of it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2
import numpy as np
import websockets
from aiortc import RTCPeerConnection
from hypothesis import given
from hypothesis import strategies as st
from pylibsrtp import Error as SrtpError

from streamer.webrtc.aiortc_seams import listen_on
from tests.streamer.fuzzing import budget
from tests.streamer.http.house import CANDIDATE, FRAGMENT, SDP
from tests.streamer.interop.whole import Whole, whole_server
from tests.streamer.webrtc.stand_ins import Client, Microphone
from tests.streamer.webrtc.udp_relay import HOST
from tests.streamer.webrtc.virtual_time import VirtualLoop

Result = TypeVar("Result")
PATIENCE = 30.0  # virtual seconds that an example may take
FORGIVEN = 0.1  # seconds between two packets of a bystander's sound; they come every 20 ms
STEP = 960  # of the time stamp between them
REFUSED = range(400, 500)


@dataclass
class Fuzzed:
    """A running server, a room to be maltreated, and a bystander in another room."""

    server: Whole
    runner: asyncio.Runner
    room: str
    bystander: Client
    real_offers: dict[str, str]

    def run(self, work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Do something in virtual time, within a bound; everything goes on meanwhile."""

        async def bounded() -> Result:
            async with asyncio.timeout(PATIENCE):
                return await work()

        return self.runner.run(bounded())

    @property
    def sessions(self) -> int:
        return len(self.server.built.services.calls.sessions)

    async def until_free(self, seat: int) -> None:
        while (await self.server.shown(self.room))["seats"][seat]["is_taken"]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # of a seat, which tells nobody who has left

    async def send(self, method: str, path: str, **what: Any) -> httpx2.Response:
        answer = await self.server.http.request(method, path, **what)
        assert answer.status_code < 500, answer.text
        return answer


async def stand(fuzzed: asyncio.Future[tuple[Whole, str, Client]], over: asyncio.Event) -> None:
    """Keep a server with two rooms until it is over."""
    async with whole_server(limits={"room_seconds": 86_400}) as server:
        rooms = [await server.open_room() for _ in range(2)]
        times = np.arange(48_000 * 60) / 48_000
        voice = np.asarray(0.3 * np.sin(2 * np.pi * 330 * times), np.float32)
        speaker, bystander = Client(Microphone(voice)), Client(watches=True)
        await server.call(bystander, f"/rooms/{rooms[1]}/whep")
        await server.call(speaker, f"/rooms/{rooms[1]}/seats/0/whip")
        fuzzed.set_result((server, rooms[0], bystander))
        await over.wait()
        await speaker.pc.close()
        await bystander.pc.close()


async def real_offer(*directions: tuple[str, str]) -> str:
    pc = RTCPeerConnection()
    for kind, direction in directions:
        pc.addTransceiver(kind, direction)
    offer = await pc.createOffer()
    await listen_on(pc, [HOST])
    await pc.setLocalDescription(offer)
    text = str(pc.localDescription.sdp)
    await pc.close()
    return text


@contextmanager
def fuzzing() -> Iterator[Fuzzed]:
    """Give a server, and check in the end that the bystander noticed nothing."""
    with asyncio.Runner(debug=False, loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        stands: asyncio.Future[tuple[Whole, str, Client]] = loop.create_future()
        over = asyncio.Event()
        task = loop.create_task(stand(stands, over))

        async def begin() -> tuple[Whole, str, Client]:
            waits: list[asyncio.Future[Any]] = [task, stands]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            return stands.result()

        async def offers() -> dict[str, str]:
            audio, video = ("audio", "recvonly"), ("video", "recvonly")
            return {
                "/whep": await real_offer(audio, video),
                "/seats/0/whip": await real_offer(("audio", "sendonly")),
                "/join": await real_offer(("audio", "sendrecv"), video),
            }

        server, room, bystander = runner.run(begin())
        before = runner.run(standing(server))
        made = Fuzzed(server, runner, room, bystander, runner.run(offers()))
        made.run(lambda: asyncio.sleep(2.0))
        yield made
        made.run(lambda: asyncio.sleep(12.0))
        check_bystander(bystander)
        assert runner.run(standing(server)) == before

        async def end() -> None:
            over.set()
            await task

        runner.run(end())


async def standing(server: Whole) -> tuple[int, int]:
    """Sessions and rooms."""
    services = server.built.services
    return len(services.calls.sessions), len(services.registry.rooms)


def check_bystander(client: Client) -> None:
    sounds = client.packets["audio"]
    assert len(sounds) > 500
    for before, after in itertools.pairwise(sounds):
        assert (after.timestamp - before.timestamp) & 0xFFFFFFFF == STEP
        assert after.at - before.at < FORGIVEN
    spoken = [samples for _, samples in client.sound()[-300:]]
    assert float(np.sqrt(np.mean(np.concatenate(spoken) ** 2))) > 0.02 or len(sounds) > 3000
    pictures = [packet.at for packet in client.packets["video"] if packet.is_last]
    assert max(b - a for a, b in itertools.pairwise(pictures)) < FORGIVEN


def damaged(text: str, seed: int, wounds: int) -> str:
    """Break a real text in some places: lines lost, doubled, moved, cut, and numbers gone mad."""
    chance = random.Random(seed)  # noqa: S311  # of a test
    lines = text.split("\r\n")
    for _ in range(wounds):
        at = chance.randrange(len(lines))
        line = lines[at]
        words = line.split(" ")
        words[chance.randrange(len(words))] = chance.choice(
            [
                "-1",
                "0",
                "65536",
                "99999999999999999999",
                "é\u2028",
                "",
                "%s",
                "../",
                "::",
                "a" * 300,
            ]
        )
        lines[at : at + 1] = chance.choice(
            [
                [],
                [line] * 2,
                [line] * 40,
                [line[: chance.randrange(len(line) + 1)]],
                [" ".join(words)],
                [line, lines[chance.randrange(len(lines))]],
                [
                    line[:2]
                    + chance.choice(["\x01", "\x7f", "\ufeff", "\U0001d4b3", ":", " "])
                    + line[2:]
                ],
                [line.replace("a=", chance.choice(["b=", "m=", "c=", "="]), 1)],
            ]
        )
        lines = lines or [""]
    return "\r\n".join(lines)


WOUNDED = st.tuples(st.integers(0, 2**32), st.integers(1, 6))


def test_a_damaged_offer_is_answered_or_refused_and_nobody_else_notices() -> None:
    with fuzzing() as fuzzed:
        codes: set[int] = set()

        @budget(20)
        @given(st.sampled_from(sorted(fuzzed.real_offers)), WOUNDED)
        def check(path: str, wounded: tuple[int, int]) -> None:
            async def post() -> None:
                text = damaged(fuzzed.real_offers[path], *wounded)
                url = f"/rooms/{fuzzed.room}{path}"
                if path == "/join":
                    wish = {"sdp": text, "type": "offer"}
                    answer = await fuzzed.send("POST", url, json=wish)
                else:
                    answer = await fuzzed.send("POST", url, content=text.encode(), headers=SDP)
                codes.add(answer.status_code)
                if answer.is_success:
                    gone = await fuzzed.send("DELETE", answer.headers["location"])
                    assert gone.status_code == 200
                else:
                    assert answer.headers["content-type"] == "application/problem+json"

            standing_before = fuzzed.sessions
            fuzzed.run(post)
            assert fuzzed.sessions == standing_before

        check()
        assert 422 in codes
        assert codes & {200, 201}  # both sides of the line were seen


def test_a_damaged_fragment_is_taken_or_refused_and_nobody_else_notices() -> None:
    with fuzzing() as fuzzed:

        async def begin() -> httpx2.Response:
            offer = fuzzed.real_offers["/whep"]
            path = f"/rooms/{fuzzed.room}/whep"
            return await fuzzed.send("POST", path, content=offer.encode(), headers=SDP)

        lines = fuzzed.real_offers["/whep"].split("\r\n")
        kept = [x for x in lines if x.startswith(("a=ice", "m=", "a=mid", "a=cand"))]
        whole = "\r\n".join([*kept, f"a={CANDIDATE}", "a=end-of-candidates", ""])

        @budget(15)
        @given(WOUNDED)
        def check(wounded: tuple[int, int]) -> None:
            async def patch() -> None:
                made = await begin()
                headers = {**FRAGMENT, "If-Match": made.headers["etag"]}
                url = made.headers["location"]
                body = damaged(whole, *wounded).encode()
                answer = await fuzzed.send("PATCH", url, content=body, headers=headers)
                assert answer.status_code == 204 or answer.status_code in REFUSED
                await fuzzed.send("DELETE", url)

            fuzzed.run(patch)

        check()


KINDS = ("segment_end", "clear", "prompt", "keep_alive", "ready", "", "é")
ODD_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
MESSAGES = st.one_of(
    st.binary(max_size=400),
    st.text(max_size=100),
    st.builds(
        lambda kind, x: json.dumps({"type": kind, "text": x}), st.sampled_from(KINDS), ODD_JSON
    ),
    ODD_JSON.map(json.dumps),
    st.sampled_from(KINDS[:4]).map(lambda kind: json.dumps({"type": kind, "text": "they laugh"})),
    st.integers(0, 4).map(lambda n: b"\x01\x02" * 8_000 * n),
    st.just("[" * 5_000),
    st.just(b"\0" * 70_000),
)


def test_any_messages_to_a_seat_leave_it_free_and_nobody_else_notices() -> None:
    with fuzzing() as fuzzed:
        url = f"{fuzzed.server.url.replace('http', 'ws')}/rooms/{fuzzed.room}/seats/1/audio"

        @budget(10)
        @given(st.sampled_from([16_000, 24_000, 48_000]), st.lists(MESSAGES, max_size=25))
        def check(rate: int, messages: list[str | bytes]) -> None:
            async def talk() -> None:
                async with websockets.connect(f"{url}?sample_rate={rate}") as socket:
                    with suppress(websockets.ConnectionClosed):  # too many errors, or too large
                        for each in messages:
                            await socket.send(each)
                        await socket.send('{"type": "clear"}')
                        while json.loads(await socket.recv())["type"] != "cleared":
                            pass
                code = socket.close_code
                assert code in {1000, 1008, 1009}, (code, socket.close_reason)
                await fuzzed.until_free(1)

            fuzzed.run(talk)

        check()


def rtp(sequence: int, timestamp: int, ssrc: int, payload: bytes) -> bytes:
    head = bytes([0x80, 96]) + sequence.to_bytes(2, "big") + timestamp.to_bytes(4, "big")
    return head + ssrc.to_bytes(4, "big") + payload


def rtcp(kind: int, count: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return bytes([0x80 | count, kind]) + (len(body) // 4).to_bytes(2, "big") + body


PACKETS = st.one_of(
    st.binary(min_size=12, max_size=200),
    st.binary(max_size=120).map(lambda rest: b"\x80\x60" + rest.ljust(10, b"\0")),
    st.binary(max_size=120).map(lambda rest: b"\xbf\xe0" + rest.ljust(10, b"\xff")),  # all flags
    st.builds(
        rtp,
        st.integers(0, 0xFFFF),
        st.integers(0, 0xFFFFFFFF),
        st.sampled_from([1, 2, 3, 4]),
        st.binary(max_size=300),
    ),
    st.builds(rtcp, st.integers(192, 223), st.integers(0, 31), st.binary(max_size=120)),
)
DATAGRAMS = st.binary(max_size=60) | st.builds(
    lambda first, rest: bytes([first]) + rest,
    st.sampled_from(
        [0, 1, 20, 21, 22, 23, 25, 63, 64, 127, 128, 200, 255]
    ),  # STUN, DTLS, TURN, RTP
    st.binary(max_size=200),
)


async def send_all(client: Client, ssrc: int | None, sent: tuple[list[bytes], list[bytes]]) -> None:
    """Send packets as the client's own, and datagrams beside them."""
    transport = client.pc.getTransceivers()[0].receiver.transport
    for each in sent[0]:
        data = each if ssrc is None else each[:8] + ssrc.to_bytes(4, "big") + each[12:]
        with suppress(SrtpError):  # our own library refuses to encrypt some
            await transport._send_rtp(data)
    for each in sent[1]:
        await transport.transport._send(each)


def test_any_packets_of_a_client_harm_at_most_itself() -> None:
    """Authentic SRTP and SRTCP with any content, and datagrams to the same port."""
    with fuzzing() as fuzzed:

        async def connect() -> tuple[Client, Client]:
            # Peers belong to the loop that runs when they are made.
            speaker, viewer = Client(Microphone(np.zeros(48_000, np.float32))), Client(watches=True)
            await fuzzed.server.call(speaker, f"/rooms/{fuzzed.room}/seats/0/whip")
            await fuzzed.server.call(viewer, f"/rooms/{fuzzed.room}/whep")
            return speaker, viewer

        speaker, viewer = fuzzed.run(connect)
        ssrc = speaker.pc.getSenders()[0]._ssrc

        @budget(15)
        @given(
            st.tuples(st.lists(PACKETS, max_size=30), st.lists(DATAGRAMS, max_size=10)),
            st.booleans(),
        )
        def check(sent: tuple[list[bytes], list[bytes]], is_own: bool) -> None:
            async def send() -> None:
                await send_all(speaker, ssrc if is_own else None, sent)
                await send_all(viewer, None, sent)
                await asyncio.sleep(0.1)

            fuzzed.run(send)
            assert fuzzed.sessions == 4

        check()

        async def leave() -> None:
            heard = len(viewer.packets["audio"])
            await asyncio.sleep(2.0)
            assert len(viewer.packets["audio"]) > heard + 80  # it still watches
            await speaker.pc.close()
            await viewer.pc.close()
            while fuzzed.sessions > 2:  # noqa: ASYNC110  # of connections, which tell no event
                await asyncio.sleep(0.1)

        fuzzed.run(leave)
