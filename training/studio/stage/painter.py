"""The OpenGL side of the renderer: context, programs, targets, and one person's buffers."""

from __future__ import annotations

from typing import Any, Final

import moderngl
import numpy as np
from numpy.typing import NDArray

from training.studio.people.cloth_texture import FUR_SIZE, fur_density, paint_cloth
from training.studio.people.figure import build_figure
from training.studio.people.identity import Identity
from training.studio.people.library import Library, Pixels
from training.studio.people.pose import Pose, Poser
from training.studio.people.skin_texture import paint_skin
from training.studio.people.wardrobe import HAIR
from training.studio.performance_data import Floats
from training.studio.stage import shaders
from training.studio.stage.shaders import Material

SHADOW_SIZE: Final = 256
_FRAME_BLOCK, _PERSON_BLOCK = 0, 1
_PICTURE_UNIT, _SHADOW_UNIT = 0, 1
_GLOSS = {"glasses": 0.8, "earrings": 1.0, "hat": 0.03}
_EARRING_COLOR = (0.55, 0.42, 0.20)
_IRIS_RAD = 0.49
_CULLED = frozenset({"skin", "eye", "teeth", "tongue", "fur", "soft_fur"})
_SOFT: tuple[Material, ...] = ("hair", "fur")  # drawn twice: solid, then soft edges
# How deep beards grow, and how much they color the skin below.
_BEARD_FUR_M = {"mustache": 0.005, "goatee": 0.005, "short_beard": 0.004, "full_beard": 0.011}
_BEARD_SHADE = {"none": 0.0, "stubble": 0.38}
_BEARD_SHADE_UNDER_FUR = 0.85
# Shells of fur: more where it is deeper, so that no gaps show between them.
_SHELLS = ((0.0, 0), (0.008, 3), (1.0, 5))
_SHELLS_UNDER_HAIR = 2
_SOFTNESS = {True: 2.2, False: 1.4}  # how sharply curls and straight hairs end

Vectors = NDArray[np.float32]


class Painter:
    """Owns the context, the programs and the pictures that all people share."""

    def __init__(self, library: Library) -> None:
        self.library = library
        settings: dict[str, Any] = {"backend": "egl"}
        self.context = moderngl.create_context(standalone=True, **settings)
        materials: tuple[Material, ...] = (
            "skin",
            "eye",
            "teeth",
            "tongue",
            "brow",
            "lash",
            "hair",
            "cloth",
            "fur",
            "solid",
        )
        self.programs: dict[str, moderngl.Program] = {
            name: self._program(shaders.VERTEX, shaders.fragment(name)) for name in materials
        }
        for name in _SOFT:
            self.programs[f"soft_{name}"] = self._program(
                shaders.VERTEX, shaders.fragment(name, "blended")
            )
        self.programs["shadow"] = self._program(shaders.SHADOW_VERTEX, shaders.SHADOW_FRAGMENT)
        self.backdrop = self._program(shaders.QUAD_VERTEX, shaders.BACKDROP_FRAGMENT)
        self.halve = self._program(shaders.QUAD_VERTEX, shaders.HALVE_FRAGMENT)
        corners = np.array([-1, -1, 1, -1, -1, 1, 1, 1], np.float32)
        self._corners = self.context.buffer(corners.tobytes())
        self.shadow_map = self.context.depth_texture((SHADOW_SIZE, SHADOW_SIZE))
        self.shadow_map.compare_func = "<="
        self.shadow_target = self.context.framebuffer(depth_attachment=self.shadow_map)
        self.frame_block = self.context.buffer(reserve=2 * 64 + 8 * 16, dynamic=True)
        self.frame_block.bind_to_uniform_block(_FRAME_BLOCK)
        self.fur = self.context.texture((FUR_SIZE, FUR_SIZE), 2, fur_density().tobytes())
        # Hairs are finer than pixels: without mip levels they flicker and speckle.
        self.fur.build_mipmaps()
        self.fur.filter = (moderngl.LINEAR_MIPMAP_NEAREST, moderngl.LINEAR)
        self._shared: dict[str, tuple[moderngl.Texture, float]] = {}

    def _program(self, vertex: str, fragment: str) -> moderngl.Program:
        program = self.context.program(vertex_shader=vertex, fragment_shader=fragment)
        for name, value in (
            ("Frame", _FRAME_BLOCK),
            ("Person", _PERSON_BLOCK),
        ):
            block = program.get(name, None)
            if isinstance(block, moderngl.UniformBlock):
                block.binding = value
        for name, unit in (("picture", _PICTURE_UNIT), ("shadow_map", _SHADOW_UNIT)):
            set_uniform(program, name, unit)
        return program

    def quad(self, program: moderngl.Program) -> moderngl.VertexArray:
        """Give a full-screen quad (draw it as a triangle strip); the caller releases it."""
        return self.context.vertex_array(program, [(self._corners, "2f", "corner")])

    def texture(self, pixels: Pixels) -> moderngl.Texture:
        """Upload a picture [H, W, C] ; the caller releases it."""
        height, width, channels = pixels.shape
        texture = self.context.texture((width, height), channels, pixels.tobytes())
        # No mipmaps: faces fill the frame, so pictures are enlarged, and mip levels cost time.
        texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
        return texture

    def shared(self, name: str) -> tuple[moderngl.Texture, float]:
        """Give an asset picture and its mean brightness (linear) where it is opaque."""
        if name not in self._shared:
            pixels = self.library.picture(name)
            light = ((pixels[..., :3] / 255.0) ** 2).mean(-1)
            solid = pixels[..., 3] > 128
            mean = float(light[solid].mean()) if solid.any() else float(light.mean())
            self._shared[name] = (self.texture(pixels), mean)
        return self._shared[name]

    def close(self) -> None:
        """Release the context and everything in it."""
        self.context.release()


def set_uniform(program: moderngl.Program, name: str, value: float | tuple[float, ...]) -> None:
    """Set a uniform if the program kept it; compilers drop those that have no effect."""
    member = program.get(name, None)
    if isinstance(member, moderngl.Uniform):
        member.value = value


class Actor:
    """One person on the GPU: buffers, pictures and draw calls. `close` frees them."""

    def __init__(
        self, identity: Identity, number: int, painter: Painter, below_eyes_m: float
    ) -> None:
        figure = build_figure(identity, painter.library, below_eyes_m)
        self.figure = figure
        self.poser = Poser(figure)
        self._painter = painter
        self._number = number
        context = painter.context
        moving = len(figure.drawn_from)
        self._vertices = context.buffer(reserve=(moving + len(figure.still)) * 24, dynamic=True)
        self._vertices.write(figure.still.tobytes(), offset=moving * 24)
        self._attributes = context.buffer(figure.attributes.tobytes())
        self._indices = context.buffer(figure.indices.tobytes())
        self._block = context.buffer(reserve=5 * 64 + 10 * 16, dynamic=True)
        self._skin = painter.texture(paint_skin(identity, painter.library))
        self._cloth = painter.texture(paint_cloth(identity, painter.library))
        self._arrays = {name: self._array(p) for name, p in painter.programs.items()}
        self._openness = 0.0

    def _array(self, program: moderngl.Program) -> moderngl.VertexArray:
        def layout(fields: tuple[tuple[str, int], ...]) -> tuple[str, list[str]]:
            kept = [name for name, _ in fields if name in program]
            form = " ".join(f"{n}f" if name in kept else f"{4 * n}x" for name, n in fields)
            return form, kept

        content = []
        for buffer, fields in (
            (self._vertices, (("position", 3), ("normal", 3))),
            (self._attributes, (("uv", 2), ("weights", 4), ("extras", 4))),
        ):
            form, kept = layout(fields)
            content.append((buffer, form, *kept))
        return self._painter.context.vertex_array(program, content, self._indices)

    def upload(self, pose: Pose) -> None:
        """Send one frame's vertices and matrices."""
        self._vertices.write(pose.moving.tobytes())
        self._openness = float(np.clip(pose.lip_gap_mm / 18.0, 0.0, 1.0))
        identity = self.figure.identity
        style = HAIR[identity.hair]
        mean = self._painter.shared(self.figure.textures["hair"])[1] if style.mesh else 1.0
        lashes = 0.9 if identity.gender == "female" else 0.55
        rows = [
            [*pose.breath_m, self._number / 255],
            [*pose.eyes[0], _IRIS_RAD],
            [*pose.eyes[1], _IRIS_RAD],
            [*pose.gaze[0], identity.seed % 61],
            [*pose.gaze[1], identity.seed % 61],
            [*pose.bones[2, :3, 1], 0.0],
            [*identity.hair_color, mean],
            [*identity.eye, 0.0],
            [*(c * 0.7 for c in identity.hair_color), lashes],
            [
                style.fur_m,
                _BEARD_FUR_M.get(identity.beard, 0.0),
                _BEARD_SHADE.get(identity.beard, _BEARD_SHADE_UNDER_FUR),
                self._openness,
            ],
        ]
        bones = pose.bones.transpose(0, 2, 1)  # OpenGL reads columns first
        self._block.write(bones.tobytes() + np.array(rows, np.float32).tobytes())

    def cast_shadow(self) -> None:
        """Draw what shades others into the shadow map."""
        self._block.bind_to_uniform_block(_PERSON_BLOCK)
        self._draw("shadow", "casters")

    def draw_opaque(self) -> None:
        """Draw everything that hides what is behind it."""
        self._block.bind_to_uniform_block(_PERSON_BLOCK)
        textures, shared = self.figure.textures, self._painter.shared
        if "hair" in self.figure.spans:
            shared(textures["hair"])[0].use(_PICTURE_UNIT)
            self._draw("hair", "hair")
        self._cloth.use(_PICTURE_UNIT)
        self._draw("cloth", "cloth")
        self._skin.use(_PICTURE_UNIT)
        self._draw("skin", "skin")
        for side, part in enumerate(("eye_left", "eye_right")):
            set_uniform(self._painter.programs["eye"], "side", side)
            self._draw("eye", part)
        if self._openness > 0.0:
            self._draw("tongue", "tongue")
            shared(textures["teeth"])[0].use(_PICTURE_UNIT)
            self._draw("teeth", "teeth")
        self._draw_fur("fur")
        self._draw_worn()

    def draw_blended(self) -> None:
        """Draw what lets through what is behind it."""
        self._block.bind_to_uniform_block(_PERSON_BLOCK)
        self._draw_fur("soft_fur")
        for part, picture in (("brow", "brow"), ("lash", "lash"), ("soft_hair", "hair")):
            if part in self.figure.spans:
                self._painter.shared(self.figure.textures[picture])[0].use(_PICTURE_UNIT)
                self._draw(part, part)

    def _draw_fur(self, name: str) -> None:
        identity = self.figure.identity
        style = HAIR[identity.hair]
        program = self._painter.programs[name]
        self._painter.fur.use(_PICTURE_UNIT)
        beard = _BEARD_FUR_M.get(identity.beard, 0.0)
        for part, depth, curly in (
            ("scalp_fur", style.fur_m, style.is_curly),
            ("beard_fur", beard, False),
        ):
            shells = next(count for limit, count in _SHELLS if depth <= limit)
            if part == "scalp_fur" and style.mesh:
                shells = min(shells, _SHELLS_UNDER_HAIR)
            set_uniform(program, "channel", int(curly))
            set_uniform(program, "scale", (3.0, 3.0) if curly else (9.0, 9.0))
            set_uniform(program, "softness", _SOFTNESS[curly])
            # Half of the shells suffice for what is solid; what lies deepest needs no soft edge.
            solid = name == "fur"
            for shell in range(1, shells + 1, 2) if solid else range(2, shells + 1):
                set_uniform(program, "layer", shell / shells)
                self._draw(name, part)

    def _draw_worn(self) -> None:
        identity = self.figure.identity
        program = self._painter.programs["solid"]
        for part, color in (
            ("glasses", identity.glasses_color),
            ("earrings", _EARRING_COLOR),
            ("hat", identity.hat_color),
        ):
            set_uniform(program, "tint", (*color, _GLOSS[part]))
            self._draw("solid", part)

    def _draw(self, program: str, part: str) -> None:
        span = self.figure.spans.get(part)
        if span is None or not span.length:
            return
        context = self._painter.context
        if program in _CULLED:
            context.enable(moderngl.CULL_FACE)
        else:
            context.disable(moderngl.CULL_FACE)
        self._arrays[program].render(vertices=span.length, first=span.first)

    def close(self) -> None:
        """Free this person's buffers and pictures."""
        for array in self._arrays.values():
            array.release()
        for held in (self._vertices, self._attributes, self._indices, self._block):
            held.release()
        self._skin.release()
        self._cloth.release()


def frame_block(view_projection: Floats, light_projection: Floats, vectors: Vectors) -> bytes:
    """Lay out the Frame block: two matrices, then eight vectors [8, 4]."""
    return (
        view_projection.T.astype(np.float32).tobytes()
        + light_projection.T.astype(np.float32).tobytes()
        + vectors.astype(np.float32).tobytes()
    )
