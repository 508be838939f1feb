"""Every setting of the server: a TOML file, environment variables and flags, checked at once.

Flags win over the environment (`PARLEY_LIMITS__ROOMS=4`), the environment over the file, the file
over the defaults. Nothing below this module reads any of the three.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple, Self

from pydantic import ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from streamer.http.identifiers import is_loopback
from streamer.sections import (
    AuthSettings,
    BrowserSettings,
    ClusterSettings,
    EngineSettings,
    IceSettings,
    LimitSettings,
    LogSettings,
    MetricSettings,
    Rates,
    RecordingSettings,
    SceneSettings,
    ServerSettings,
    VideoSettings,
)

MOST_PASSES = 5


class Settings(BaseSettings):
    """All of it."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="PARLEY_", env_nested_delimiter="__"
    )

    server: ServerSettings = ServerSettings()
    engine: EngineSettings = EngineSettings()
    auth: AuthSettings = AuthSettings()
    browser: BrowserSettings = BrowserSettings()
    ice: IceSettings = IceSettings()
    limits: LimitSettings = LimitSettings()
    rates: Rates = Rates()
    video: VideoSettings = VideoSettings()
    scenes: SceneSettings = SceneSettings()
    recording: RecordingSettings = RecordingSettings()
    logs: LogSettings = LogSettings()
    metrics: MetricSettings = MetricSettings()
    cluster: ClusterSettings = ClusterSettings()

    @property
    def needs_token(self) -> bool:
        """Whether a stranger needs a token."""
        if self.auth.mode == "auto":
            return not is_loopback(self.server.host)
        return self.auth.mode == "on"

    @model_validator(mode="wrap")
    @classmethod
    def _all_faults_at_once(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Check what concerns several sections even when some section is wrong by itself."""
        found: list[Fault] = []
        rest = data
        for _ in range(MOST_PASSES):  # a section is checked as a whole when its parts are right
            try:
                settings = handler(rest)
            except ValidationError as error:
                new = [Fault(each["loc"], each["msg"]) for each in error.errors()]
                found += new
                rest = _without(rest, new)
            else:
                found += _faults_between(settings, found)
                if not found:
                    return settings
                break
        raise ValidationError.from_exception_data(
            "Settings",
            [_detail(where, what) for where, what in found],
        )


class Fault(NamedTuple):
    """One setting that cannot be used."""

    where: tuple[int | str, ...]
    what: str


def _detail(where: tuple[int | str, ...], what: str) -> InitErrorDetails:
    """Say a fault as pydantic wants it; the value is left out, for it may be a secret."""
    kind = PydanticCustomError("setting", "{what}", {"what": what})
    return {"type": kind, "loc": where, "input": None}


def _faults_between(settings: Settings, known: Sequence[Fault]) -> list[Fault]:
    """Name what settings that are right by themselves do not allow together."""
    wrong = {fault.where[:2] for fault in known}
    faults = []
    key = ("auth", "key")
    if settings.needs_token and settings.auth.secret() is None and not wrong & {key[:1], key}:
        host = settings.server.host
        why = f"{host} is not loopback" if settings.auth.mode == "auto" else "auth.mode is on"
        advice = "give auth.key or auth.key_file, or say auth.mode = off"
        faults.append(Fault(key, f"{why}, so that tokens are needed: {advice}"))
    limits = settings.limits
    if limits.warning_seconds >= min(limits.idle_seconds, limits.room_seconds):
        faults.append(
            Fault(
                ("limits", "warning_seconds"),
                f"{limits.warning_seconds:g} s is not before the end of {limits.idle_seconds:g} s "
                f"without people or {limits.room_seconds:g} s in all",
            )
        )
    return faults


def _without(data: dict[str, Any], faults: Sequence[Fault]) -> dict[str, Any]:
    """Leave out what is wrong, so that the rest can be checked."""
    rest = deepcopy(data)
    for where, _ in faults:
        table: Any = rest
        for part in where[:-1]:
            inner = table.get(part) if isinstance(table, dict) else None
            if not isinstance(inner, dict) or (where[-1] not in inner and part == where[-2]):
                break  # the whole table goes: the fault is that something is missing in it
            table = inner
        if isinstance(table, dict):
            for part in where:
                table.pop(part, None)
    return rest


def load_settings(file: Path | None, flags: dict[str, Any]) -> Settings:
    """Read the settings from a TOML file, the environment and flags; flags are nested as the file.

    Raises:
        ValidationError: with every fault there is.
        OSError, tomllib.TOMLDecodeError: when the file cannot be read.
    """

    class Sourced(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            toml = TomlConfigSettingsSource(settings_cls, toml_file=file)
            return init_settings, env_settings, toml

    if file is not None:
        file.read_bytes()  # the source would pass over a missing file in silence
    return Sourced(**flags)
