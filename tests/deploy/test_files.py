"""The files of deploy/ fit together, and fit the server: settings, paths, ports, users."""

from __future__ import annotations

import asyncio
import configparser
import ipaddress
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from streamer.server import build, serving
from streamer.settings import Settings, load_settings
from streamer.stage import open_stage
from tests.streamer.http.house import KEY, PretendedPeers, settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
VARIABLE = re.compile(r"\$\{(\w+)[^}]*\}")
EXAMPLE = {
    "PARLEY_DOMAIN": "parley.example.org",
    "PARLEY_ADDRESS": "192.0.2.10",
    "PARLEY_PUBLIC_ADDRESS": "203.0.113.7",
    "PARLEY_STUN": "stun:stun.example.org",
    "PARLEY_TURN_SECRET": "secret",
    "GRAFANA_PASSWORD": "password",
}


def compose() -> dict[str, Any]:
    """Read compose.yaml with example values in place of its variables."""
    text = (DEPLOY / "compose.yaml").read_text()
    return dict(yaml.safe_load(VARIABLE.sub(lambda match: EXAMPLE[match[1]], text)))


def dockerfile() -> list[str]:
    text = re.sub(r"\\\n\s*", "", (DEPLOY / "Dockerfile").read_text())
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "token-key"
    path.write_text(KEY)
    return path


@pytest.fixture
def composed(monkeypatch: pytest.MonkeyPatch, key_file: Path) -> Settings:
    """Settings of the server that compose.yaml starts."""
    said = dict(compose()["services"]["parley"]["environment"])
    assert said["PARLEY_AUTH__KEY_FILE"] == "/run/secrets/token_key"
    said["PARLEY_AUTH__KEY_FILE"] = str(key_file)
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    return load_settings(None, {})


def test_the_example_asks_for_what_compose_needs() -> None:
    lines = (DEPLOY / "example.env").read_text().splitlines()
    asked = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
    needed = set(VARIABLE.findall((DEPLOY / "compose.yaml").read_text()))
    assert asked == needed == set(EXAMPLE)


def test_every_file_that_compose_mounts_is_there_or_made_by_hand() -> None:
    said = compose()
    mounts = [v for s in said["services"].values() for v in s.get("volumes", ())]
    sources = {mount.partition(":")[0] for mount in mounts}
    files = {source for source in sources if source.startswith(".")}
    assert sources - files == set(said["volumes"])
    assert [file for file in files if not (DEPLOY / file).is_file()] == []
    secret = said["secrets"]["token_key"]["file"]
    assert secret.removeprefix("./") in (DEPLOY / ".gitignore").read_text().splitlines()


def test_the_composed_server_asks_for_tokens_and_sends_media_to_the_world(
    composed: Settings,
) -> None:
    assert composed.needs_token
    assert [str(address) for address in composed.ice.addresses] == [EXAMPLE["PARLEY_ADDRESS"]]
    assert composed.ice.stun == (EXAMPLE["PARLEY_STUN"],)
    assert composed.ice.turn_secret is not None
    assert composed.server.proxies == ("127.0.0.1",)


def test_open_figures_are_hidden_by_the_proxy(composed: Settings) -> None:
    proxy = (DEPLOY / "Caddyfile").read_text()
    assert composed.metrics.is_open
    assert re.search(r"@inside path /metrics /metrics/\*\s+respond @inside 404", proxy)
    assert f"reverse_proxy {composed.server.host}:{composed.server.port}" in proxy


def test_prometheus_and_grafana_find_each_other_and_the_server(composed: Settings) -> None:
    [job] = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"]
    [static] = job["static_configs"]
    assert static["targets"] == [f"{composed.server.host}:{composed.server.port}"]
    [source] = yaml.safe_load((DEPLOY / "grafana-datasource.yml").read_text())["datasources"]
    address = f"--web.listen-address={source['url'].removeprefix('http://')}"
    services = compose()["services"]
    assert address in services["prometheus"]["command"]
    panels = json.loads((DEPLOY / "grafana-dashboard.json").read_text())["panels"]
    used = {panel["datasource"]["uid"] for panel in panels if "datasource" in panel}
    assert used == {source["uid"]}
    [folder] = yaml.safe_load((DEPLOY / "grafana-folder.yml").read_text())["providers"]
    assert any(folder["options"]["path"] in mount for mount in services["grafana"]["volumes"])


def test_nobody_kills_a_server_that_still_says_goodbye(composed: Settings) -> None:
    stop = seconds(compose()["services"]["parley"]["stop_grace_period"])
    assert stop > composed.server.drain_seconds + 2
    assert seconds(unit()["Service"]["TimeoutStopSec"] + "s") > composed.server.drain_seconds + 2


def test_the_image_copies_what_exists_and_every_package() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    let_in = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    copies = [line.split()[1:-1] for line in dockerfile() if re.match(r"COPY (?!--)", line)]
    sources = [source for copy in copies for source in copy]
    assert set(packages["targets"]["wheel"]["packages"]) <= set(sources)
    assert [each for each in sources if not (ROOT / each).exists()] == []
    assert [each for each in sources if f"!{each}" not in let_in] == []


def test_the_image_pins_what_it_installs_and_does_not_run_as_root() -> None:
    lines = dockerfile()
    assert any("pip install --no-cache-dir -c constraints.txt ." in line for line in lines)
    user, entry = (
        next(i for i, line in enumerate(lines) if line.startswith(word))
        for word in ("USER ", "ENTRYPOINT ")
    )
    assert user < entry
    assert lines[user] != "USER root"


def test_nothing_reports_to_its_maker() -> None:
    assert any("ORT_DISABLE_TELEMETRY=1" in line for line in dockerfile())
    assert "Environment=ORT_DISABLE_TELEMETRY=1" in (DEPLOY / "parley.service").read_text()


def test_the_health_check_tells_a_live_server_from_none() -> None:
    line = next(line for line in dockerfile() if line.startswith("HEALTHCHECK"))
    program = json.loads(line.partition("CMD ")[2])[2]

    async def check() -> tuple[int, int]:
        chosen = settings(server={"port": 0})
        async with serving(build(chosen, open_stage(chosen), PretendedPeers())) as url:
            alive = await asyncio.to_thread(ask, program.replace("http://127.0.0.1:8080", url))
        return alive, await asyncio.to_thread(ask, program.replace("http://127.0.0.1:8080", url))

    alive, gone = asyncio.run(check())
    assert (alive, gone) == (0, 1)


def ask(program: str) -> int:
    return subprocess.run([sys.executable, "-c", program], capture_output=True).returncode


def unit() -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[method-assign,assignment]  # names keep their case
    parser.read(DEPLOY / "parley.service")
    return {name: dict(parser[name]) for name in parser.sections()}


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed")
    text = (DEPLOY / "parley.service").read_text()
    copy = tmp_path / "parley.service"
    copy.write_text(text.replace("/opt/parley/bin/parley", sys.executable))
    said = subprocess.run([tool, "verify", str(copy)], capture_output=True, text=True)
    assert (said.returncode, said.stderr) == (0, "")


def test_the_file_of_the_unit_is_a_server_behind_a_proxy(key_file: Path) -> None:
    chosen = load_settings(DEPLOY / "parley.toml", {"auth": {"key_file": str(key_file)}})
    assert chosen.needs_token
    assert chosen.ice.addresses
    assert chosen.recording.folder is not None
    state = f"/var/lib/{unit()['Service']['StateDirectory']}"
    assert chosen.recording.folder.is_relative_to(state)


def test_turn_takes_short_lived_passwords_and_leads_to_no_private_network() -> None:
    lines = (DEPLOY / "turnserver.conf").read_text().splitlines()
    options = [line for line in lines if line and not line.startswith("#")]
    assert "use-auth-secret" in options
    assert [line for line in options if line.startswith("static-auth-secret")] == []
    denied = [line.partition("=")[2].split("-") for line in options if "denied-peer-ip" in line]
    ranges = [tuple(map(ipaddress.ip_address, (pair[0], pair[-1]))) for pair in denied]
    private = ("10.1.2.3", "172.20.0.1", "192.168.1.1", "127.0.0.1", "169.254.169.254")
    for name in (*private, "100.64.0.1", "0.0.0.0", "fd00::1", "fe80::1", "::1"):  # noqa: S104
        address = ipaddress.ip_address(name)
        inside = [a for a, b in ranges if a.version == address.version and a <= address <= b]  # type: ignore[operator]
        assert inside, name
