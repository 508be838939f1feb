"""A whole bundle of toy networks, written the way `export/` writes one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from PIL import Image

from engines.bundle import Bundle, open_bundle
from engines.manifest import (
    CellRule,
    Curves,
    LatentGrid,
    Manifest,
    NetworkEntry,
    RegionRule,
    Role,
    Rotation,
    Sampling,
    SceneEntry,
    Size,
    StateEntry,
    TensorEntry,
    Tokenizer,
    Transformer,
    describe_file,
    write_manifest,
)
from engines.scene.boxes import Box
from engines.scene.scene import Caption, build_scene
from engines.scene.store import write_scene
from tests.engines import toy_networks as toy

SIZE = Size(people=toy.PEOPLE, width=toy.WIDTH, height=toy.HEIGHT)
BOXES = (Box(4, 4, 28, 28), Box(36, 4, 60, 28))
REGION = RegionRule(sideways=0.3, above=0.5, below=0.5)
PROMPT = "two people talk"
DTYPES: dict[int, Literal["float32", "uint8", "int64", "bool"]] = {
    1: "float32",
    2: "uint8",
    7: "int64",
    9: "bool",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Toy:
    """What a toy bundle is like."""

    kv: Literal["slice", "inplace"] = "slice"
    sampler: Literal["euler", "renoise"] = "euler"
    schedules: tuple[tuple[float, ...], ...] = ((1000.0, 500.0), (1000.0,))
    context_timestep: float = 0.0
    remembers: bool = True
    has_curves: bool = True
    has_acting: bool = False
    most_positions: int | None = None  # None: a timeless sink
    cells: CellRule | None = None
    sizes: tuple[Size, ...] = (SIZE,)  # of videos; the scene `pair` has the first
    boxes: tuple[Box, ...] = BOXES


def build(folder: Path, options: Toy | None = None) -> Bundle:
    """Write a bundle into a new folder and open it."""
    options = options or Toy()
    (folder / "networks").mkdir(parents=True)
    writers: dict[Role, Callable[[Path], None]] = {
        "audio_encoder": toy.audio_encoder,
        "text_encoder": toy.text_encoder,
        "prompt": toy.prompt,
        "picture_encoder": toy.picture_encoder,
        "audio_kv": toy.audio_kv,
        "dit": lambda path: toy.dit(path, is_inplace=options.kv == "inplace"),
        "vae_decoder": toy.vae_decoder,
    }
    if options.has_acting:
        writers["acting"] = toy.acting
    entries = tuple(_network(folder, role, write, options) for role, write in writers.items())
    manifest = Manifest(
        schema_version=1,
        name="toy",
        architecture="studio",
        identity="l_rope",
        fps=25,
        sample_rate=16000,
        look_ahead_samples=640 * toy.LOOK_AHEAD_FRAMES,
        chunk_frames=1,
        sink_frames=toy.SINK,
        window_frames=toy.WINDOW,
        latent=LatentGrid(channels=toy.CHANNELS, spatial_stride=16, patch=2, frames_per_latent=4),
        transformer=Transformer(layers=toy.LAYERS, width=toy.HEAD, feed_forward=toy.HEAD),
        rotation=Rotation(
            theta=100.0,
            time_channels=2,
            height_channels=2,
            width_channels=2,
            is_sink_timeless=options.most_positions is None,
            most_positions=options.most_positions,
        ),
        sampling=Sampling(
            sampler=options.sampler,
            schedules=options.schedules,
            context_timestep=options.context_timestep,
            remembers=options.remembers,
        ),
        region=REGION,
        tokenizer=Tokenizer(kind="bytes"),
        curves=Curves(first_channel=2, group=1) if options.has_curves else None,
        cells=options.cells,
        sizes=options.sizes,
        networks=entries,
        scenes=(_scene(folder, options),),
        parity=(),
        source_commit="0" * 40,
        license="Apache-2.0",
        model_card="A toy.",
    )
    write_manifest(manifest, folder)
    return open_bundle(folder)


def _network(folder: Path, role: Role, write: Callable[[Path], None], options: Toy) -> NetworkEntry:
    path = folder / "networks" / f"{role}.onnx"
    write(path)
    graph = onnx.load(path).graph
    constants = {each.name for each in graph.initializer}
    inputs = tuple(_tensor(each) for each in graph.input if each.name not in constants)
    outputs = tuple(_tensor(each) for each in graph.output)
    states = tuple(
        StateEntry(
            input=each.name,
            output=f"next_{each.name}",
            person_axis=0 if role == "audio_encoder" else None,
        )
        for each in inputs
        if each.name.startswith("state.")
    )
    return NetworkEntry(
        role=role,
        size=SIZE.key if role in {"dit", "vae_decoder", "picture_encoder"} else None,
        format="onnx",
        precision="fp32",
        files=(describe_file(folder, path),),
        inputs=inputs,
        outputs=outputs,
        states=states,
        kv=options.kv if role == "dit" else None,
    )


def _tensor(value: onnx.ValueInfoProto) -> TensorEntry:
    kind = value.type.tensor_type
    shape = tuple(each.dim_value for each in kind.shape.dim)
    return TensorEntry(name=value.name, shape=shape, dtype=DTYPES[kind.elem_type])


def picture(size: Size = SIZE) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Give uint8 [H, W, 3], different everywhere."""
    values = np.random.default_rng(3).integers(0, 256, (size.height, size.width, 3))
    return values.astype(np.uint8)


def _scene(folder: Path, options: Toy) -> SceneEntry:
    home = folder / "scenes" / "pair"
    home.mkdir(parents=True)
    caption = Caption(name="pair", prompt=PROMPT, people_names=("Ada", "Bo"))
    size = options.sizes[0]
    write_scene(build_scene(picture(size), options.boxes, size, REGION, caption), home)
    files = tuple(describe_file(folder, home / name) for name in ("picture.png", "scene.json"))
    return SceneEntry(name="pair", people=toy.PEOPLE, files=files)


def save_png(path: Path, width: int, height: int) -> None:
    """Write a noisy picture."""
    values = np.random.default_rng(1).integers(0, 256, (height, width, 3)).astype(np.uint8)
    Image.fromarray(values).save(path)
