"""Contact sheets: many people at a glance, to look at before hours are rendered."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from training.studio.people.library import Library
from training.studio.people.pose import Moment
from training.studio.performance_data import ARKIT
from training.studio.stage.renderer import Renderer, resting_moment
from training.studio.stage.scene import sample_scene

# Each person is shown three times: at rest, and in two of these.
_FACES: Mapping[str, Mapping[str, float]] = {
    "AA": {"jawOpen": 0.42},
    "smile": {"mouthSmile": 0.7, "cheekSquint": 0.5, "mouthUpperUp": 0.25, "jawOpen": 0.06},
    "OO": {"mouthPucker": 0.42, "mouthFunnel": 0.12, "jawOpen": 0.12},
    "M": {"mouthPress": 0.45, "jawOpen": 0.03, "mouthClose": 0.06},
    "blink": {"eyeBlink": 1.0},
    "surprise": {"browInnerUp": 0.7, "browOuterUp": 0.8, "eyeWide": 0.6, "jawOpen": 0.25},
    "TH": {"jawOpen": 0.15, "tongueOut": 0.45},
    "sad": {"mouthFrown": 0.5, "browInnerUp": 0.8, "mouthShrugLower": 0.2, "mouthSmile": 0.0},
}
_GAP_PX = 4


def moment_with(values: Mapping[str, float], base: Moment | None = None) -> Moment:
    """Give a moment with some curves set; a name without Left or Right sets both sides."""
    start = base or resting_moment()
    curves = start.curves.copy()
    for name, value in values.items():
        sides = [name] if name in ARKIT else [f"{name}Left", f"{name}Right"]
        for side in sides:
            curves[ARKIT.index(side)] = value
    return dataclasses.replace(start, curves=curves)


def contact_sheet(
    library: Library, path: Path, *, people: int, seed: int = 0, columns: int = 8
) -> None:
    """Draw a sheet of people, each at rest and with two other faces, into a PNG or JPEG file."""
    columns = min(columns, people)
    names = list(_FACES)
    rows = -(-people // columns)
    size = 256
    sheet = Image.new("RGB", (columns * size, rows * (3 * size + _GAP_PX)))
    draw = ImageDraw.Draw(sheet)
    with Renderer(library) as renderer:
        for index in range(people):
            left = index % columns * size
            top = index // columns * (3 * size + _GAP_PX)
            scene = sample_scene(seed + index, people=1)
            rng = np.random.default_rng((seed + index, 0x9F))
            shown = ["rest", names[index % len(names)], names[(index + 3) % len(names)]]
            with renderer.open(scene) as stage:
                for row, name in enumerate(shown):
                    head = rng.normal(0, (0.14, 0.06, 0.05)).astype(np.float32)
                    moment = moment_with(_FACES.get(name, {}))
                    frame = stage.draw([dataclasses.replace(moment, head_rad=head)])
                    at = (left, top + row * size)
                    sheet.paste(Image.fromarray(frame.picture), at)
                    draw.text((at[0] + 4, at[1] + 2), name, fill=(255, 230, 120))
    sheet.save(path, quality=88)
