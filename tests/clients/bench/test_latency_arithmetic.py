"""The latency page's arithmetic, run by Node."""

from __future__ import annotations

from typing import Any

import pytest

from clients.web.pages import BENCH
from tests.clients.web.test_modules import needs_node
from tests.clients.web.test_modules import run as run_module

pytestmark = needs_node
LOOKS = """const looks = (moves) => Array.from({ length: 60 }, (_, i) => ({
  at: 40 * i,
  pixels: Array.from({ length: 24 }, (_, k) => 90 + ((i * 7 + k * 5) % 3) + moves(40 * i)),
}));
const when = { restMs: 900, soonestMs: 25, latestMs: 1200 };"""


def run(source: str, given: Any = None) -> Any:
    return run_module(source.replace("BENCH", BENCH.as_uri()), given)


def test_quantiles_lie_between_values() -> None:
    told = run(
        """const { quantile, spread } = await import("BENCH/arithmetic.js");
        told([quantile([4, 1, 3, 2], 0.5), quantile([5], 0.99), spread([10, 20]), spread([])]);"""
    )
    assert told == [2.5, 5, {"p50": 15, "p95": 19.5, "p99": 19.9}, None]


@pytest.mark.parametrize("late_ms", [0, 137, 1800])
def test_an_echo_is_found_to_the_millisecond_below_noise_and_another_level(late_ms: int) -> None:
    found = run(
        """const { bestLag } = await import("BENCH/arithmetic.js");
        const { makeBurst } = await import("BENCH/burst.js");
        const samples = makeBurst(48000), levels = [];
        for (let i = 0; i + 48 <= samples.length; i += 48)
          levels.push(Math.hypot(...samples.subarray(i, i + 48)) / Math.sqrt(48));
        const pattern = [...Array(100).fill(0), ...levels, ...Array(120).fill(0)];
        const late = Array.from({ length: pattern.length + 2200 }, (_, i) =>
          0.3 * (pattern[i - given] ?? 0) + 0.004 * Math.abs(Math.sin(i * i)));
        told(bestLag(pattern, late, 0, 2200));""",
        late_ms,
    )
    assert found["lag"] == late_ms
    assert found["agreement"] > 0.95


def test_silence_agrees_with_nothing() -> None:
    found = run(
        """const { bestLag } = await import("BENCH/arithmetic.js");
        told(bestLag([0, 1, 0, 1], new Array(40).fill(0.5), 0, 30));"""
    )
    assert found["agreement"] == -1


def test_a_mouth_moves_at_the_first_picture_that_differs_from_its_rest() -> None:
    found = run(
        f"""const {{ mouthMoves }} = await import("BENCH/arithmetic.js"); {LOOKS}
        const found = (moves, spokenAt) => mouthMoves(looks(moves), spokenAt, when)?.at ?? null;
        told([
          found((at) => (at >= 1400 ? 40 : 0), 1000),
          found((at) => (at >= 1400 ? Math.min(40, (at - 1360) / 8) : 0), 1000),
          found(() => 0, 1000),
          found((at) => (at === 1400 ? 40 : 0), 1000),
          found((at) => (at >= 400 ? 40 : 0), 60),
        ]);"""
    )
    assert found[0] == 1400
    assert 1400 < found[1] <= 1520  # opening slowly: a quarter of the way
    assert found[2] is None  # it rests
    assert found[3] is None  # one broken picture is no mouth
    assert found[4] is None  # too little rest before it to compare with


def test_freezes_are_counted_as_webrtc_does() -> None:
    told = run(
        """const { evenness } = await import("BENCH/arithmetic.js");
        const times = Array.from({ length: 50 }, (_, i) => 40 * i + (i > 20 ? 400 : 0));
        told(evenness(times));"""
    )
    assert told["freezes"] == {"count": 1, "total_ms": 440}
    assert told["frame_interval_ms"]["p50"] == 40


def test_the_mouth_is_the_lower_face_also_of_a_padded_picture() -> None:
    boxes = run(
        """const { mouthOf } = await import("BENCH/arithmetic.js");
        const scene = { boxes: [[100, 50, 200, 150]], picture_width: 400, picture_height: 200 };
        const rounded = (box) => box && box.map((share) => Math.round(share * 1000) / 1000);
        told([rounded(mouthOf(scene, 0, { width: 400, height: 200 })),
          rounded(mouthOf(scene, 0, { width: 400, height: 400 })),
          mouthOf(scene, 1, { width: 400, height: 200 })]);"""
    )
    assert boxes[0] == [0.288, 0.5, 0.463, 0.775]
    assert boxes[1] == [0.288, 0.5, 0.463, 0.638]  # 100 of 400 rows above it are padding
    assert boxes[2] is None


def test_parts_are_medians_of_differences_and_add_up_to_the_whole() -> None:
    parts = run(
        """const { PartsWatch } = await import("BENCH/parts.js");
        let step = 0;
        const stats = () => new Map([["v", { type: "inbound-rtp", kind: "video",
          jitterBufferDelay: step * 1.0, jitterBufferEmittedCount: step * 50,
          totalDecodeTime: step * 0.1, framesDecoded: step * 50 }],
          ["p", { type: "candidate-pair", nominated: true, currentRoundTripTime: 0.006 }]]);
        const pc = { getStats: async () => stats() };
        const metrics = () => [
          `parley_mic_to_send_seconds_sum ${step * 30}`,
          `parley_mic_to_send_seconds_count ${step * 100}`,
          `parley_chunks_total ${step * 20}`, `parley_frames_sent_total ${step * 60}`,
          `parley_frames_dropped_total{reason="late"} ${step * 20}`,
          `parley_real_time_factor_sum ${step * 10}`, `parley_real_time_factor_count ${step * 20}`,
          ...["audio", "denoise", "cache", "decode"].map((part, i) =>
            `parley_part_seconds_total{part="${part}"} ${step * 0.2 * (i + 1)}`),
          `parley_skew_seconds_sum ${step * 0.4}`, `parley_skew_seconds_count ${step * 100}`,
          "parley_peer_voice_delay_seconds_most 0.03"].join("\\n");
        const watch = new PartsWatch({ publisher: pc, viewer: pc }, async () => metrics());
        for (step = 1; step < 5; step += 1) await watch.look();
        const found = { wholeMs: 420, legsMs: [40, 42, 44], leadMs: 30 };
        told([watch.parts({ ...found, room: {} }),
          watch.parts({ ...found, room: { chunk_ms: 160, look_ahead_ms: 20 } })]);"""
    )
    plain, told = parts
    assert plain["network"] == 6
    assert (plain["wait_for_chunk"], plain["audio_encoder"], plain["vae_decoder"]) == (160, 10, 40)
    # 300 ms in the room: 160 of chunk, 80 of making, and the rest.
    assert plain["paste_and_queue"] == pytest.approx(-20 + 20)
    assert plain["look_ahead_and_waiting"] == 60
    assert (told["look_ahead"], told["held_until_due"]) == (20, 40)
    assert (plain["browser_jitter_buffer"], plain["browser_decode"]) == (20, 2)
    assert plain["browser_display"] == 20
    assert plain["lips_against_sound"] == -30
    for each in parts:
        assert sum(each.values()) == pytest.approx(420, abs=0.5)


def test_without_the_servers_figures_the_rest_is_called_what_it_is() -> None:
    parts = run(
        """const { PartsWatch } = await import("BENCH/parts.js");
        const pc = { getStats: async () => new Map() };
        const watch = new PartsWatch({ publisher: pc, viewer: pc }, async () => null);
        await watch.look();
        await watch.look();
        told(watch.parts({ wholeMs: 300, legsMs: [50], leadMs: 30, room: null }));"""
    )
    assert parts["server_and_unexplained"] == 300 - 50 - 20
    assert "unexplained" not in parts
