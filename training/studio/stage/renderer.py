"""Draw scenes of talking people, frame by frame, with exact labels.

One renderer owns one OpenGL context (through EGL: a GPU, or llvmpipe on a CPU) and belongs to one
thread. On a CPU set LP_NUM_THREADS=0 before the process starts and run one process for each core.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Literal, Self

import moderngl
import numpy as np

from models.errors import InputError
from training.studio.people.library import Library
from training.studio.people.pose import Moment
from training.studio.performance_data import ARKIT, Performance
from training.studio.stage.backdrops import paint_backdrop
from training.studio.stage.camera import light_projection
from training.studio.stage.painter import Actor, Painter, frame_block
from training.studio.stage.scene import Light, Scene
from training.studio.stage.truth import Frame, FrameTruth, label

Samples = Literal[1, 2]

_LEAN_ROOM_M = 0.08
_SHADOW_BIAS_M = 0.003
_SHADOW_REACH_M = 0.36  # around one head; wider by how far people sit apart


class Stage:
    """One scene set up for drawing. `close` frees it; the renderer stays usable."""

    def __init__(self, scene: Scene, painter: Painter, samples: Samples) -> None:
        self.scene = scene
        self._painter = painter
        context = painter.context
        camera = scene.camera
        size = (camera.width, camera.height)
        full = (size[0] * samples, size[1] * samples)
        self._actors = [
            Actor(identity, index + 1, painter, _depth_in_frame(scene, index))
            for index, identity in enumerate(scene.people)
        ]
        self._color = context.texture(full, 4)
        self._color.filter = (moderngl.LINEAR, moderngl.LINEAR)
        self._depth = context.depth_renderbuffer(full)
        self._target = context.framebuffer([self._color], self._depth)
        self._final = context.simple_framebuffer(size, 4) if samples == 2 else None
        self._halve = painter.quad(painter.halve)
        self._backdrop = self._paint_backdrop()
        self._constants = self._frame_constants()

    def _paint_backdrop(self) -> moderngl.Framebuffer:
        """Draw the background once; each frame begins with a copy of it."""
        camera = self.scene.camera
        pixels = paint_backdrop(self.scene.backdrop, camera.width, camera.height)
        context = self._painter.context
        picture = context.texture((camera.width, camera.height), 3, pixels[::-1].tobytes())
        target = context.framebuffer(
            [context.texture(self._color.size, 4)], context.depth_renderbuffer(self._color.size)
        )
        target.use()
        target.clear(depth=1.0)
        context.disable(moderngl.DEPTH_TEST | moderngl.BLEND | moderngl.CULL_FACE)
        picture.use(0)
        quad = self._painter.quad(self._painter.backdrop)
        quad.render(mode=moderngl.TRIANGLE_STRIP)
        quad.release()
        picture.release()
        return target

    def _frame_constants(self) -> bytes:
        scene = self.scene
        seats = np.array([seat.eyes_m for seat in scene.seats], np.float32)
        center = seats.mean(0) - np.array([0, 0.08, 0.06], np.float32)
        reach = _SHADOW_REACH_M + float(np.abs(seats - seats.mean(0)).max())
        light = scene.light
        direction = np.array(light.key_direction, np.float32)
        vectors = _light_vectors(light)
        vectors[0, 3] = _SHADOW_BIAS_M / (6 * reach)
        return frame_block(
            scene.camera.view_projection(), light_projection(direction, center, reach), vectors
        )

    @property
    def landmark_names(self) -> tuple[str, ...]:
        """Names of PersonTruth.landmarks, in order."""
        return self._actors[0].figure.landmark_names

    def draw(self, moments: Sequence[Moment]) -> Frame:
        """Draw one frame; one moment for each person, from left to right.

        Raises:
            InputError: when there are more or fewer moments than people.
        """
        if len(moments) != len(self._actors):
            raise InputError(
                f"expected {len(self._actors)} moments, one for each person, got {len(moments)}"
            )
        scene = self.scene
        poses = [
            actor.poser.pose(moment, seat)
            for actor, moment, seat in zip(self._actors, moments, scene.seats, strict=True)
        ]
        for actor, pose in zip(self._actors, poses, strict=True):
            actor.upload(pose)
        pixels = self._paint()
        mask = np.ascontiguousarray(pixels[..., 3])
        people = tuple(
            label(pose, scene.camera, mask, index + 1) for index, pose in enumerate(poses)
        )
        return Frame(np.ascontiguousarray(pixels[..., :3]), FrameTruth(mask, people))

    def _paint(self) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        painter, context = self._painter, self._painter.context
        painter.frame_block.write(self._constants)
        context.enable(moderngl.DEPTH_TEST)
        context.disable(moderngl.BLEND)
        painter.shadow_target.use()
        painter.shadow_target.clear(depth=1.0)
        for actor in self._actors:
            actor.cast_shadow()
        context.copy_framebuffer(self._target, self._backdrop)
        self._target.use()
        painter.shadow_map.use(1)
        for actor in self._actors:
            actor.draw_opaque()
        context.enable(moderngl.BLEND)
        context.blend_func = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA
        # The alpha channel says whose pixel it is; what is blended over leaves that alone.
        self._target.color_mask = (True, True, True, False)
        self._target.depth_mask = False
        self._target.use()  # masks take effect when a framebuffer is bound
        for actor in self._actors:
            actor.draw_blended()
        self._target.depth_mask = True
        self._target.color_mask = (True, True, True, True)
        context.disable(moderngl.BLEND | moderngl.DEPTH_TEST | moderngl.CULL_FACE)
        source = self._target
        if self._final is not None:
            self._final.use()
            self._color.use(0)
            self._halve.render(mode=moderngl.TRIANGLE_STRIP)
            source = self._final
        camera = self.scene.camera
        flat = np.frombuffer(source.read(components=4), np.uint8)
        return flat.reshape(camera.height, camera.width, 4)[::-1]

    def close(self) -> None:
        """Free the scene's buffers and pictures."""
        for actor in self._actors:
            actor.close()
        for framebuffer in (self._backdrop, self._final):
            if framebuffer is not None:
                for attachment in framebuffer.color_attachments:
                    attachment.release()
                if framebuffer.depth_attachment is not None:
                    framebuffer.depth_attachment.release()
                framebuffer.release()
        self._target.release()
        self._color.release()
        self._depth.release()
        self._halve.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Renderer:
    """Owns the context; sets scenes up. Close it, or use it as a context manager.

    Args:
        library: the assets.
        samples: 2 draws at twice the size and averages, 1 leaves edges jagged but is faster.
    """

    def __init__(self, library: Library, *, samples: Samples = 2) -> None:
        self._painter = Painter(library)
        self._samples: Samples = samples

    def open(self, scene: Scene) -> Stage:
        """Set a scene up: shape its people, paint their skins, upload all. Takes about 1 s each."""
        return Stage(scene, self._painter, self._samples)

    def render_frame(self, scene: Scene, moments: Sequence[Moment]) -> Frame:
        """Draw one still."""
        with self.open(scene) as stage:
            return stage.draw(moments)

    def render_clip(self, scene: Scene, performances: Sequence[Performance]) -> Iterator[Frame]:
        """Draw a clip: one performance for each person, all of the same length.

        Raises:
            InputError: when their number or lengths do not fit.
        """
        lengths = {performance.frames for performance in performances}
        if len(performances) != len(scene.people) or len(lengths) != 1:
            raise InputError(
                f"expected {len(scene.people)} performances of one length, "
                f"got lengths {[performance.frames for performance in performances]}"
            )
        with self.open(scene) as stage:
            for index in range(lengths.pop()):
                yield stage.draw([moment_of(performance, index) for performance in performances])

    def close(self) -> None:
        """Release the context."""
        self._painter.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _depth_in_frame(scene: Scene, index: int) -> float:
    """Give how far below a person's eyes the picture may reach, however they lean, in meters."""
    x, y, z = scene.seats[index].eyes_m
    camera = scene.camera
    steepest = camera.pitch_rad - camera.fov_y_rad / 2
    return y - float(np.hypot(x, z) * np.tan(steepest)) + _LEAN_ROOM_M


def moment_of(performance: Performance, index: int) -> Moment:
    """Cut one video frame out of a performance."""
    return Moment(
        curves=performance.curves[index],
        head_rad=performance.head_rad[index],
        gaze_target=performance.gaze_target[index],
        breath=float(performance.breath[index]),
        lean_m=performance.lean_m[index],
    )


def resting_moment() -> Moment:
    """Give someone who rests, friendly, and looks at the camera."""
    curves = np.zeros(len(ARKIT), np.float32)
    rest = {
        "mouthSmileLeft": 0.26,
        "mouthSmileRight": 0.26,
        "browInnerUp": 0.22,
        "browOuterUpLeft": 0.08,
        "browOuterUpRight": 0.08,
        "cheekSquintLeft": 0.08,
        "cheekSquintRight": 0.08,
        "eyeWideLeft": 0.12,
        "eyeWideRight": 0.12,
    }
    for name, value in rest.items():
        curves[ARKIT.index(name)] = value
    zero = np.zeros(3, np.float32)
    return Moment(curves=curves, head_rad=zero, gaze_target=zero, breath=0.0, lean_m=zero)


def _light_vectors(light: Light) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    vectors = np.zeros((8, 4), np.float32)
    fields = (
        light.key_direction,
        light.key_color,
        light.fill_direction,
        light.fill_color,
        light.rim_direction,
        light.rim_color,
        light.sky,
        light.ground,
    )
    for row, value in enumerate(fields):
        vectors[row, :3] = value
    return vectors
