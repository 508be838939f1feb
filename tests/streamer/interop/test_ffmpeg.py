"""FFmpeg's WHIP muxer, which comes inside PyAV, against a server process: the signalling.

Its DTLS does not come to terms with OpenSSL's here, in either role, so media is not part of this:
the muxer gives up and deletes its session, and the seat is free again.
"""

from __future__ import annotations

import subprocess
import sys
import time

from tests.streamer.interop.served import ROOT, Served, served

CLEAN = 15.0
# In a process of its own: the muxer holds Python's lock while it waits.
PUBLISH = """
import sys, av, numpy as np
output = av.open(sys.argv[1], "w", format="whip", options={"handshake_timeout": "3000"})
picture = output.add_stream("libx264", rate=25, options={"profile": "baseline", "bf": "0"})
picture.width, picture.height, picture.pix_fmt = 128, 64, "yuv420p"
sound = output.add_stream("libopus", rate=48000, layout="stereo")
try:
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.int16), format="s16", layout="stereo")
    frame.sample_rate = 48000
    for packet in sound.encode(frame):
        output.mux(packet)
    output.start_encoding()
except av.FFmpegError as error:
    print(type(error).__name__)
"""


def test_ffmpeg_is_answered_and_leaves_its_seat() -> None:
    with served("logs.level=info") as server:
        room = server.open_room()
        url = f"{server.url}/rooms/{room}/seats/0/whip"
        run = subprocess.run(
            [sys.executable, "-c", PUBLISH, url],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        route = "/rooms/{room_id}/seats/{seat}/whip"
        posted = f'{{method="POST",route="{route}",status="201"}}'
        assert server.figure("parley_http_requests_total", posted) == 1, run.stderr
        assert wait_for_free_seat(server, room) < CLEAN


def wait_for_free_seat(server: Served, room: str) -> float:
    began = time.monotonic()
    while server.shown(room)["seats"][0]["is_taken"]:
        assert time.monotonic() - began < CLEAN
        time.sleep(0.05)
    return time.monotonic() - began
