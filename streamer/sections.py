"""The sections of the settings file; docs/serving.md has them all as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyAddress,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)

from engines.runtimes.choice import RuntimeName
from streamer.http.tokens import LEAST_KEY_BYTES

KIB, MIB = 1 << 10, 1 << 20
Origin = Annotated[str, StringConstraints(pattern=r"^(\*|https?://[^/\s]+)$")]
HostName = Annotated[str, StringConstraints(pattern=r"^[^/\s:]+$|^\[[0-9a-fA-F:]+\]$")]
StunUrl = Annotated[str, StringConstraints(pattern=r"^stuns?:[^\s,;\"<>]+$")]
TurnUrl = Annotated[str, StringConstraints(pattern=r"^turns?:[^\s,;\"<>]+$")]
Seconds = Annotated[float, Field(gt=0, le=30 * 86_400)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]


class Section(BaseModel):
    """A table of the settings file; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ServerSettings(Section):
    """Where the server listens."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8080, ge=0, le=65_535, description="TCP port; 0 for any free one.")
    tls_certificate: Path | None = Field(
        default=None, description="PEM file of the certificate chain."
    )
    tls_key: Path | None = Field(default=None, description="PEM file of its key.")
    tls_key_password: SecretStr | None = Field(
        default=None, description="Password of the key's file."
    )
    hosts: tuple[HostName, ...] = Field(
        default=(),
        description="Names that a Host header may have. Empty: any, or loopback names alone "
        "while anybody may come in (against DNS rebinding).",
    )
    proxies: tuple[str, ...] = Field(
        default=(),
        description="Addresses of reverse proxies whose X-Forwarded-For and -Proto count.",
    )
    drain_seconds: float = Field(
        default=8.0,
        gt=0,
        le=600,
        description="On SIGTERM: time to say goodbye and finish recordings.",
    )

    @model_validator(mode="after")
    def _has_both_parts_of_tls(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("TLS needs tls_certificate and tls_key, only one is given")
        for path in (self.tls_certificate, self.tls_key):
            if path is not None and not path.is_file():
                raise ValueError(f"there is no file {path}")
        return self


class EngineSettings(Section):
    """What draws the pictures."""

    generator: Literal["bundle", "null"] = Field(
        default="bundle",
        description="bundle: avatars. null: a bar that follows each voice, for tests.",
    )
    bundle: Path | None = Field(
        default=None, description="Folder of the bundle. Default: the shipped one."
    )
    runtime: RuntimeName | None = Field(default=None, description="Default: the fastest that fits.")
    threads: int | None = Field(
        default=None, ge=1, le=256, description="CPU threads of the runtime."
    )
    precision: str | None = Field(default=None, description="Which of several networks to prefer.")
    null_people: int = Field(default=2, ge=1, le=8, description="Seats of a null room.")
    null_width: int = Field(default=448, ge=64, le=1920, multiple_of=2, description="Pixels.")
    null_height: int = Field(default=256, ge=64, le=1080, multiple_of=2, description="Pixels.")


class AuthSettings(Section):
    """Who may come in."""

    mode: Literal["auto", "on", "off"] = Field(
        default="auto", description="auto: off on a loopback address, on everywhere else."
    )
    key: SecretStr | None = Field(
        default=None, description=f"Signs tokens; at least {LEAST_KEY_BYTES} bytes."
    )
    key_file: Path | None = Field(default=None, description="File that holds the key instead.")

    @field_validator("key")
    @classmethod
    def _long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value().encode()) < LEAST_KEY_BYTES:
            raise ValueError(
                f"the key has {len(key.get_secret_value().encode())} bytes, it needs "
                f"{LEAST_KEY_BYTES}; make one with `openssl rand -base64 48`"
            )
        return key

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if self.key is not None and self.key_file is not None:
            raise ValueError("give key or key_file, not both")
        if self.key_file is not None:
            size = len(_read_secret(self.key_file))
            if size < LEAST_KEY_BYTES:
                raise ValueError(f"{self.key_file} holds {size} bytes, it needs {LEAST_KEY_BYTES}")
        return self

    def secret(self) -> bytes | None:
        """Give the key, read from its file where it has one."""
        if self.key is not None:
            return self.key.get_secret_value().encode()
        return None if self.key_file is None else _read_secret(self.key_file)


class BrowserSettings(Section):
    """Which web pages may use the server."""

    origins: tuple[Origin, ...] = Field(
        default=(),
        description="Origins besides the server's own, as https://example.org; * for all.",
    )


class IceSettings(Section):
    """How peers find a way to each other."""

    stun: tuple[StunUrl, ...] = Field(
        default=(), description="STUN servers, as stun:stun.example.org."
    )
    turn: tuple[TurnUrl, ...] = Field(
        default=(), description="TURN servers, as turn:turn.example.org."
    )
    turn_secret: SecretStr | None = Field(
        default=None,
        description="Shared with coturn (static-auth-secret), for short-lived credentials.",
    )
    turn_seconds: Seconds = Field(
        default=3600.0, description="How long such a credential is valid."
    )
    addresses: tuple[IPvAnyAddress, ...] = Field(
        default=(),
        description="Addresses of this machine to send and receive media on. Empty: all of them, "
        "or 127.0.0.1 alone when server.host is loopback.",
    )
    allow_private: bool = Field(
        default=False,
        description="Send to clients in private networks (10/8, 192.168/16, fc00::/7, .local). "
        "Always so when server.host is loopback and ice.addresses is empty.",
    )

    @model_validator(mode="after")
    def _turn_has_its_secret(self) -> Self:
        if self.turn and self.turn_secret is None:
            raise ValueError("turn servers need turn_secret")
        return self


class RateSettings(Section):
    """A token bucket: so many at once, then so many a minute."""

    burst: float = Field(ge=1, le=1e6, description="At once.")
    per_minute: float = Field(gt=0, le=1e7, description="Refilled in a minute.")


class LimitSettings(Section):
    """What a stranger meets."""

    rooms: Count = Field(default=4, description="Rooms at once; then 503.")
    viewers: Count = Field(default=100, description="Viewers of a room; then 503.")
    sessions: Count = Field(default=500, description="Sessions of the server; then 503.")
    sessions_per_token: Count = Field(default=50, description="Sessions of one token; then 429.")
    sessions_per_address: Count = Field(
        default=100, description="Sessions of one address; then 429."
    )
    room_seconds: Seconds = Field(default=4 * 3600.0, description="Longest life of a room.")
    idle_seconds: Seconds = Field(
        default=300.0, description="A room without people ends after this."
    )
    warning_seconds: Seconds = Field(
        default=30.0, description="The warning comes this long before."
    )
    sdp_bytes: int = Field(
        default=64 * KIB, ge=1024, le=MIB, description="Of an offer or a fragment."
    )
    candidates: int = Field(
        default=100, ge=1, le=10_000, description="Of a session, offer included."
    )
    json_bytes: int = Field(default=128 * KIB, ge=1024, le=MIB, description="Of a JSON body.")
    picture_bytes: int = Field(
        default=10 * MIB, ge=1024, le=32 * MIB, description="Of an uploaded picture."
    )
    scenes: Count = Field(default=100, description="Uploaded scenes kept; then 503.")
    message_bytes: int = Field(
        default=64 * KIB, ge=1024, le=MIB, description="Of a websocket message."
    )
    queued_seconds: float = Field(
        default=120.0, ge=5, le=3600, description="Speech that may wait on a seat."
    )
    backlog_bytes: int = Field(
        default=MIB,
        ge=4096,
        le=64 * MIB,
        description="Read from a websocket beyond that, before it waits.",
    )
    prompt_characters: int = Field(default=1000, ge=1, le=100_000, description="Of a prompt.")
    head_seconds: Seconds = Field(default=10.0, description="For a request's headers to arrive.")
    body_seconds: Seconds = Field(default=15.0, description="For a request's body to arrive.")
    socket_idle_seconds: Seconds = Field(default=300.0, description="A silent websocket is closed.")
    connections: Count = Field(default=2000, description="TCP connections at once; then 503.")


class Rates(Section):
    """How often an address, and again a token, may ask; beyond it 429."""

    post: RateSettings = Field(default=RateSettings(burst=60, per_minute=300), description="POST.")
    patch: RateSettings = Field(
        default=RateSettings(burst=300, per_minute=1200), description="PATCH."
    )
    delete: RateSettings = Field(
        default=RateSettings(burst=120, per_minute=600), description="DELETE."
    )
    socket: RateSettings = Field(
        default=RateSettings(burst=30, per_minute=120), description="Websockets opened."
    )
    message: RateSettings = Field(
        default=RateSettings(burst=500, per_minute=60_000),
        description="Messages of one websocket; beyond it the server reads slower.",
    )


class VideoSettings(Section):
    """What leaves for the viewers."""

    codec: Literal["vp8", "h264"] = Field(default="vp8", description="Offered first.")
    kbps: int = Field(default=1500, ge=100, le=20_000, description="Bitrate of a room.")
    badge: bool = Field(
        default=True, description="Write AI into every picture. The law may demand it."
    )


class SceneSettings(Section):
    """Pictures that users upload; they are kept in memory."""

    allow_upload: bool = Field(default=True, description="Take pictures.")
    require_consent: bool = Field(
        default=True, description="An upload names who agreed that the faces are used."
    )


class RecordingSettings(Section):
    """Films of what viewers saw."""

    folder: Path | None = Field(
        default=None, description="Where they are written. Default: no recordings."
    )
    c2pa_key: Path | None = Field(default=None, description="PEM key that signs them.")
    c2pa_certificate: Path | None = Field(default=None, description="PEM chain of that key.")
    c2pa_algorithm: Literal["es256", "es384", "ps256", "ed25519"] = Field(
        default="es256", description="Of that key."
    )
    c2pa_authority: str | None = Field(
        default=None, description="URL of a time stamping authority. Default: no time stamps."
    )

    @model_validator(mode="after")
    def _signs_with_both(self) -> Self:
        if (self.c2pa_key is None) != (self.c2pa_certificate is None):
            raise ValueError("signing needs c2pa_key and c2pa_certificate, only one is given")
        return self


class LogSettings(Section):
    """What is written down."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least."
    )
    format: Literal["text", "json"] = Field(default="text", description="json: an object a line.")


class MetricSettings(Section):
    """The figures at /metrics."""

    is_open: bool = Field(default=False, description="Readable without an admin token.")


class ClusterSettings(Section):
    """Rooms on several machines; only `parley serve --cluster` looks at them."""

    address: str | None = Field(
        default=None,
        description="Of the Ray cluster, as 10.0.0.1:6379. Default: the one that runs here.",
    )
    url: str = Field(
        default="{scheme}://{address}:{port}",
        description="Of a worker, for clients; {name} stands for its machine's host name.",
    )
    port: int = Field(
        default=0,
        ge=0,
        le=65_535,
        description="A worker listens on this TCP port or the next that is free; 0 for any.",
    )
    gpus: float = Field(
        default=0.0, ge=0, le=64, description="GPUs of a worker; 0.5: two workers share one."
    )
    reopen: bool = Field(
        default=True,
        description="Open the rooms of a lost worker again on another one, under their names.",
    )

    @field_validator("url")
    @classmethod
    def _names_only_what_there_is(cls, url: str) -> str:
        names = {"scheme", "address", "name", "port"}
        try:
            url.format(**dict.fromkeys(names, "x"))
        except (KeyError, IndexError, ValueError) as error:
            said = ", ".join(f"{{{name}}}" for name in sorted(names))
            raise ValueError(f"{url!r} may name {said} and nothing else") from error
        return url


def _read_secret(path: Path) -> bytes:
    try:
        return path.read_bytes().strip()
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from error
