"""`parley serve --cluster` that cannot: one line says why, and without it nothing needs Ray."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from streamer.cluster.addresses import check_host, listening_settings, worker_url
from streamer.cluster.front import check_settings
from streamer.cluster.messages import Place
from streamer.cluster.ray_cluster import worker_settings
from streamer.errors import SettingsError
from streamer.settings import Settings, load_settings
from tests.streamer.cluster.fronts import ROOT, environment
from tests.streamer.http.house import KEY

HERE = Place(machine="gpu7", address="10.0.0.7", pid=1)
WITHOUT_RAY = "import sys; sys.modules['ray'] = None; from parley.cli import main; main()"


def run(*arguments: str, program: str = "from parley.cli import main; main()") -> tuple[int, str]:
    command = [sys.executable, "-c", program, "serve", "--generator", "null", *arguments]
    ended = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120
    )
    return ended.returncode, ended.stderr


def with_host(host: str, **cluster: object) -> Settings:
    sections = {"server": {"host": host}, "cluster": cluster, "auth": {"mode": "off"}}
    return load_settings(None, sections)


def test_a_missing_ray_is_told_with_the_extra_that_brings_it() -> None:
    code, said = run("--cluster", program=WITHOUT_RAY)
    assert code == 2
    assert said.splitlines()[-1].endswith("pip install 'parley-avatar[cluster]'")
    assert "Traceback" not in said


def test_serving_from_one_process_loads_no_ray() -> None:
    program = "import sys, streamer.serve_cli; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


def test_a_cluster_that_is_not_there_is_one_line() -> None:
    pytest.importorskip("ray")
    code, said = run("--cluster", "--set", "cluster.address=127.0.0.1:1")
    assert code == 2
    assert said.splitlines()[-1].startswith("error: no Ray cluster at 127.0.0.1:1: start one")
    assert "Traceback" not in said


def test_the_demo_is_not_for_a_cluster() -> None:
    code, said = run("--cluster", "--demo")
    assert code == 2
    assert "leave out --cluster" in said


def test_the_address_of_one_machine_is_refused() -> None:
    with pytest.raises(SettingsError, match="address of one machine"):
        check_host(with_host("10.0.0.1"))
    for host in ("0.0.0.0", "::", "127.0.0.1"):  # noqa: S104
        check_host(with_host(host))


@pytest.mark.parametrize(
    ("host", "url", "expected"),
    [
        ("127.0.0.1", None, "http://127.0.0.1:8001"),
        ("0.0.0.0", None, "http://10.0.0.7:8001"),  # noqa: S104
        ("0.0.0.0", "https://{name}.example.org:{port}/", "https://gpu7.example.org:8001"),  # noqa: S104
    ],
)
def test_clients_are_told_the_address_of_the_worker(
    host: str, url: str | None, expected: str
) -> None:
    settings = with_host(host, **({"url": url} if url else {}))
    assert worker_url(settings, HERE, f"http://{host}:8001") == expected


def test_a_worker_takes_the_next_port_that_is_free() -> None:
    chosen = listening_settings(with_host("127.0.0.1", port=0))
    assert chosen.server.port == 0
    first = listening_settings(with_host("127.0.0.1", port=47_000)).server.port
    assert 47_000 <= first < 47_064


def test_a_worker_has_the_settings_of_its_front_whatever_its_machine_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    front = load_settings(
        None,
        {"server": {"host": "0.0.0.0"}, "auth": {"key_file": str(file)}},  # noqa: S104
    )
    said = worker_settings(front)
    monkeypatch.setenv("PARLEY_AUTH__KEY_FILE", str(file))
    monkeypatch.setenv("PARLEY_LIMITS__ROOMS", "99")
    worker = Settings(**said)  # type: ignore[arg-type]
    assert worker.needs_token
    assert worker.auth.secret() == KEY.encode()
    assert worker.limits == front.limits


def test_a_key_that_is_no_text_is_refused_before_anything_starts(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"\xff" * 32)
    with pytest.raises(SettingsError, match="not text"):
        check_settings(load_settings(None, {"auth": {"key_file": str(file)}}))


def test_an_unknown_part_of_a_url_is_refused() -> None:
    with pytest.raises(ValueError, match="may name"):
        with_host("127.0.0.1", url="https://{machine}:{port}")
