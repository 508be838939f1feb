"""The parts of a soak: the bad network, what a viewer sees, what a look puts together."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from aiortc.rtp import RtpPacket

from clients.bench.load_errors import LoadError
from clients.bench.load_metrics import Figures, read_figures
from clients.bench.soak_relay import LossyRelay
from clients.bench.soak_samples import Sample, ServerLook, mean_between, sample, trends
from clients.bench.soak_viewer import Seen, _Lateness, sharpness
from clients.bench.soak_voices import Spoken
from clients.bench.soak_whep import Unwrapped

HOST = "127.0.0.1"
ANSWER = (
    "v=0\r\na=candidate:1 1 udp 2130706431 10.0.0.9 5000 typ host\r\n"
    f"a=candidate:2 1 udp 2130706431 {HOST} 6000 typ host\r\na=end-of-candidates\r\n"
)
CALM = Seen(
    fps=25.0, rgb=(10.0, 20.0, 30.0), sharpness=1.0, skew_ms=2.0, picture=None, is_connected=True
)
QUIET = Spoken(starts_s=[], clears_s=[], sentences=0, interrupted=0, joined=0, failed={})


class Collector(asyncio.DatagramProtocol):
    """Somebody at the other end."""

    def __init__(self) -> None:
        self.got: list[bytes] = []

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.got.append(data)


async def sent_through(loss: float, count: int) -> tuple[int, LossyRelay]:
    loop = asyncio.get_running_loop()
    server, protocol = await loop.create_datagram_endpoint(Collector, local_addr=(HOST, 0))
    port = server.get_extra_info("sockname")[1]
    async with LossyRelay(loss, 1, HOST) as relay:
        given = relay.hide_server(ANSWER.replace("6000", str(port)))
        [line] = [each for each in given.splitlines() if each.startswith("a=candidate")]
        near = (line.split()[4], int(line.split()[5]))
        assert near != (HOST, port)
        client, _ = await loop.create_datagram_endpoint(Collector, local_addr=(HOST, 0))
        for n in range(count):
            client.sendto(str(n).encode(), near)
            if n % 50 == 0:
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.1)
        client.close()
        server.close()
        return len(protocol.got), relay


def test_a_relay_loses_its_share_and_carries_the_rest() -> None:
    got, relay = asyncio.run(sent_through(0.1, 2000))
    assert got == relay.carried
    assert relay.carried + relay.dropped == 2000
    assert 140 < relay.dropped < 260
    got, relay = asyncio.run(sent_through(0.0, 200))
    assert (got, relay.dropped) == (200, 0)


def test_a_relay_hides_both_ends_and_says_when_it_cannot() -> None:
    relay = LossyRelay(0.0, 1, HOST)
    hidden = relay.hide_client("v=0\r\na=candidate:1 1 udp 1 10.0.0.1 9 typ host\r\na=mid:0\r\n")
    assert hidden == "v=0\r\na=mid:0\r\n"
    with pytest.raises(LoadError, match="no IPv4 address"):
        relay.hide_server("v=0\r\n")


def test_time_stamps_go_on_across_their_end() -> None:
    unwrapped = Unwrapped()
    stamps = [(1 << 32) - 3000, (1 << 32) - 6000, 600, 100, 4200]
    found = [unwrapped(each) for each in stamps]
    assert [each - found[0] for each in found] == [0, -3000, 3600, 3100, 7200]


def test_lateness_is_the_median_against_time_stamps() -> None:
    clock = iter([10.0, 10.04, 10.08, 10.62, 10.16, 10.20])  # one came half a second late
    late = _Lateness("video", lambda: next(clock))
    for n in range(6):
        late.take(RtpPacket(timestamp=7 + n * 3600))
    assert late.look() == pytest.approx(10.0 - 7 / 90_000)
    assert late.look() is None


def test_a_blurred_picture_is_less_sharp_and_a_flat_one_not_at_all() -> None:
    draw = np.random.default_rng(1)
    picture = draw.integers(0, 255, (32, 32, 3)).astype(np.uint8)
    blurred = ((picture + np.roll(picture, 1, axis=1).astype(int)) // 2).astype(np.uint8)
    assert sharpness(np.full((8, 8, 3), 77, np.uint8)) == 0
    assert sharpness(blurred) < 0.8 * sharpness(picture)


def figures(sends: int, total: float, late: int) -> Figures:
    return read_figures(
        "# TYPE parley_mic_to_send_seconds histogram\n"
        f'parley_mic_to_send_seconds_bucket{{le="+Inf"}} {sends}\n'
        f"parley_mic_to_send_seconds_sum {total}\nparley_mic_to_send_seconds_count {sends}\n"
        "# TYPE parley_frames_dropped counter\n"
        f'parley_frames_dropped_total{{reason="late"}} {late}\n'
        'parley_frames_dropped_total{reason="behind"} 4\n'
        "# TYPE parley_tasks gauge\nparley_tasks 17\n"
    )


def test_a_look_counts_what_happened_since_the_one_before() -> None:
    looks = (
        ServerLook(figures(10, 3.0, 5), 100.0, 20.0, 8.0),
        ServerLook(figures(20, 7.0, 8), 101.0, 21.0, 9.0),
    )
    far = Seen(
        fps=20.0,
        rgb=(20.0, 20.0, 20.0),
        sharpness=3.0,
        skew_ms=-9.0,
        picture=None,
        is_connected=False,
    )
    busy = Spoken(
        starts_s=[0.2, 0.4, 0.3],
        clears_s=[0.05],
        sentences=3,
        interrupted=1,
        joined=1,
        failed={},
    )
    made = sample(5.0, looks, [CALM, far], [QUIET, busy])
    assert made.mic_to_send_ms == pytest.approx(400)
    assert made.bot_to_send_ms == pytest.approx(300)
    assert made.clear_ms == pytest.approx(50)
    assert made.dropped == {"late": 3}
    assert (made.rss_mb, made.files, made.threads, made.tasks) == (101.0, 21.0, 9.0, 17.0)
    assert (made.skew_ms, made.fps, made.viewers_lost) == (-9.0, 20.0, 1)
    assert made.rgb == (15.0, 20.0, 25.0)
    assert made.sharpness == 2.0
    assert (made.sentences, made.interrupted, made.joined) == (3, 1, 1)


def test_who_is_told_nothing_says_nothing() -> None:
    nothing = ServerLook(None, None, None, None)
    unseen = Seen(fps=0.0, rgb=None, sharpness=None, skew_ms=None, picture=None, is_connected=True)
    made = sample(5.0, (nothing, nothing), [unseen], [QUIET])
    assert (made.rss_mb, made.mic_to_send_ms, made.rgb, made.dropped) == (None, None, None, {})
    assert mean_between({}, {}, "parley_mic_to_send_seconds") is None


def run_of(rss: list[float], red: list[float]) -> list[Sample]:
    looks = [ServerLook(None, each, 20.0, 8.0) for each in rss]
    seen = [
        Seen(
            fps=25.0,
            rgb=(each, 20.0, 30.0),
            sharpness=1.0,
            skew_ms=0.0,
            picture=None,
            is_connected=True,
        )
        for each in red
    ]
    return [
        sample(10.0 * n, (look, look), [one], [QUIET])
        for n, (look, one) in enumerate(zip(looks, seen, strict=True), 1)
    ]


def test_a_server_that_swells_and_a_picture_that_reddens_are_named() -> None:
    count = 60
    flat = run_of([200.0] * count, [50.0] * count)
    assert not any(each.grows for each in trends(flat))
    worse = run_of([200.0 + 2 * n for n in range(count)], [50 + 0.1 * n for n in range(count)])
    assert {each.bound.name for each in trends(worse) if each.grows} == {"rss_mb", "red"}
    filling = [100.0 + 20 * n for n in range(6)] + [200.0] * (count - 6)  # in the first minute
    assert not any(each.grows for each in trends(run_of(filling, [50.0] * count)))
    assert trends([]) == []
