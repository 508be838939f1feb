"""What is shown: a bundle's avatars, or the null generator's bars. Chosen once, by the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from engines.command_line import find_bundle, start_engine
from engines.conversation import Turn, read_conversation
from engines.errors import DeviceError
from engines.scene.detection import FaceDetector
from streamer.errors import InvalidInput
from streamer.http.scene_shelf import BundleShelf, NullShelf, SceneShelf
from streamer.media.null_generator import NullGenerator
from streamer.rooms.avatar import AvatarOpener
from streamer.rooms.encoders import encoder_maker
from streamer.rooms.opening import Opened, Opener, RoomSpec
from streamer.rooms.registry import Machinery
from streamer.sections import EngineSettings
from streamer.settings import Settings

NULL_CHUNK_FRAMES = 4
NULL_LOOK_AHEAD_SAMPLES = 1280  # 80 ms, as the Studio bundle has


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Who makes pictures, out of which scenes."""

    opener: Opener
    shelf: SceneShelf
    about: str  # for the log
    close: Callable[[], None]
    machinery: Machinery = field(default_factory=Machinery)  # clock, threads and encoders
    conversation: Callable[[], tuple[Turn, ...]] = tuple  # reads what the demo's people say


def open_stage(settings: Settings) -> Stage:
    """Open what the settings name; loads no network yet. Blocks.

    Raises:
        EngineError: when the bundle or its runtime cannot be used.
    """
    if settings.engine.generator == "null":
        return _null_stage(settings.engine)
    bundle = find_bundle(settings.engine.bundle)
    asked = settings.engine
    engine, about = start_engine(bundle, asked.runtime, asked.threads, asked.precision)
    try:
        detector = FaceDetector()
    except DeviceError:  # no wheel for this platform: boxes are then given by hand
        detector = None
    shelf = BundleShelf(bundle, detector, settings.limits.scenes)
    return Stage(
        opener=AvatarOpener(engine, shelf.scene),
        shelf=shelf,
        about=about,
        close=engine.close,
        machinery=Machinery(make_encoder=encoder_maker()),  # H.264 on the GPU, where it can
        conversation=partial(read_conversation, bundle),
    )


def _null_stage(settings: EngineSettings) -> Stage:
    people, width, height = settings.null_people, settings.null_width, settings.null_height
    shelf = NullShelf(people, width, height)

    def open_null(spec: RoomSpec) -> Opened:
        if spec.scene != "null":
            raise InvalidInput(f"there is no scene {spec.scene}; the null generator has `null`")
        generator = NullGenerator(
            people, (width, height), NULL_CHUNK_FRAMES, NULL_LOOK_AHEAD_SAMPLES
        )
        return Opened(generator=generator)

    return Stage(opener=open_null, shelf=shelf, about="null generator", close=_nothing)


def _nothing() -> None:
    """The null generator holds nothing."""
