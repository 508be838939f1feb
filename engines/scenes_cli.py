"""Scenes: list those of a bundle, or prepare one from a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from PIL import Image, ImageDraw

from engines.command_line import (
    BoxesOption,
    BundleOption,
    SizeOption,
    errors_in_one_line,
    find_bundle,
    read_boxes,
)
from engines.errors import InputError
from engines.scene.detection import FaceDetector
from engines.scene.picture import read_picture
from engines.scene.prepare import Wishes, prepare_scene
from engines.scene.scene import Caption, Scene
from engines.scene.store import read_scene, ready_scene, write_scene

SHOWN = "boxes.png"
COLORS = ("#ff4040", "#40a0ff", "#40d060", "#ffc020", "#c060ff", "#20d0d0")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)


@app.callback()
def _scenes() -> None:
    """Scenes: a picture, its people, a prompt."""


@app.command("list")
def list_scenes(bundle: BundleOption = None) -> None:
    """List the scenes of a bundle."""
    with errors_in_one_line():
        opened = find_bundle(bundle)
        for entry in opened.manifest.scenes:
            scene = ready_scene(opened, entry.name)
            names = ", ".join(scene.people_names) or f"{entry.people} people"
            size = f"{scene.size.width}x{scene.size.height}"
            typer.echo(f"{entry.name:<20} {size:<10} {names:<30} {scene.prompt}")
        if not opened.manifest.scenes:
            typer.echo(f"the bundle {opened.manifest.name} has no scenes", err=True)


@app.command()
def prepare(  # noqa: PLR0913  # a command's options are its arguments
    image: Annotated[Path, typer.Argument(help="JPEG, PNG or WebP.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="A folder to make.")],
    bundle: BundleOption = None,
    people: Annotated[int | None, typer.Option(help="How many. Default: all faces.")] = None,
    boxes: BoxesOption = None,
    size: SizeOption = None,
    crop: Annotated[bool, typer.Option(help="Crop the picture instead of padding it.")] = False,
    prompt: Annotated[str, typer.Option(help="What the people do.")] = "",
) -> None:
    """Prepare a scene from a picture; look at boxes.png, and correct with --boxes."""
    with errors_in_one_line():
        opened = find_bundle(bundle)
        wishes = Wishes(
            people=people,
            boxes=read_boxes(boxes),
            size=size,
            is_cropped=crop,
            caption=Caption(name=image.stem, prompt=prompt),
        )
        detector = FaceDetector() if wishes.boxes is None else None
        scene = prepare_scene(opened, read_picture(image), wishes, detector)
        try:
            out.mkdir(parents=True)
        except FileExistsError as error:
            raise InputError(f"--out {out} exists; name a new folder") from error
        write_scene(scene, out)
        read_scene(opened, out)
        draw_boxes(scene).save(out / SHOWN)
        typer.echo(f"{out}: {scene.size.key}; look at {out / SHOWN}")
        for person, box in enumerate(scene.boxes):
            typer.echo(f"  person {person}: {box}")


def draw_boxes(scene: Scene) -> Image.Image:
    """Draw each person's number and box into a copy of the picture."""
    image = Image.fromarray(scene.picture)
    pen = ImageDraw.Draw(image)
    for person, box in enumerate(scene.boxes):
        color = COLORS[person % len(COLORS)]
        pen.rectangle(tuple(box), outline=color, width=2)
        pen.text((box.left + 4, box.top + 2), str(person), fill=color)
    return image
