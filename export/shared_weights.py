"""One file of weights for all sizes of a role: a bundle with three sizes holds them once.

Graphs differ from size to size, weights hardly do. Tensors of equal bytes are written once, into
networks/ROLE.weights, and every graph of the role points there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import onnx
from onnx import StringStringEntryProto, TensorProto

from engines.manifest import describe_file
from export.records import Record

ALIGNMENT = 64
SUFFIX = ".weights"


class Place(NamedTuple):
    """Where a tensor's bytes lie in a file."""

    offset: int
    length: int


def share_weights(records: Sequence[Record], folder: Path) -> list[Record]:
    """Merge the ONNX weights of each role that comes in several sizes; give the new records.

    Args:
        records: of a whole bundle, whose files lie under `folder`.
        folder: the bundle's.
    """
    shared: dict[str, list[Record]] = {}
    for record in records:
        if record.entry.format == "onnx" and len(record.entry.files) == 2:  # graph and weights
            shared.setdefault(record.entry.role, []).append(record)
    merged = {
        id(old): new
        for group in shared.values()
        if len(group) > 1
        for old, new in zip(group, _merge(group, folder), strict=True)
    }
    return [merged.get(id(record), record) for record in records]


def _merge(group: Sequence[Record], folder: Path) -> list[Record]:
    graphs = [folder / record.entry.files[0].path for record in group]
    weights = graphs[0].with_name(group[0].entry.role + SUFFIX)
    unfinished = weights.with_name(weights.name + ".part")
    places: dict[bytes, Place] = {}
    models = []
    with unfinished.open("wb") as file:
        for graph in graphs:
            model = onnx.load(graph, load_external_data=False)
            for tensor in model.graph.initializer:
                if tensor.data_location != TensorProto.EXTERNAL:
                    continue
                content = _content(tensor, graph.parent)
                digest = hashlib.sha256(content).digest()
                if digest not in places:
                    file.write(bytes(-file.tell() % ALIGNMENT))
                    places[digest] = Place(file.tell(), len(content))
                    file.write(content)
                _point(tensor, weights.name, places[digest])
            models.append(model)
    for record in group:
        for entry in record.entry.files[1:]:
            (folder / entry.path).unlink(missing_ok=True)
    unfinished.replace(weights)
    for graph, model in zip(graphs, models, strict=True):
        graph.write_bytes(model.SerializeToString())
    described = describe_file(folder, weights)
    return [
        Record(
            record.entry.model_copy(update={"files": (describe_file(folder, graph), described)}),
            record.parity,
        )
        for record, graph in zip(group, graphs, strict=True)
    ]


def _facts(tensor: TensorProto) -> Mapping[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}


def _content(tensor: TensorProto, folder: Path) -> bytes:
    facts = _facts(tensor)
    with (folder / facts["location"]).open("rb") as file:
        file.seek(int(facts.get("offset", "0")))
        return file.read(int(facts["length"]))


def _point(tensor: TensorProto, location: str, place: Place) -> None:
    del tensor.external_data[:]
    for key, value in (
        ("location", location),
        ("offset", str(place.offset)),
        ("length", str(place.length)),
    ):
        tensor.external_data.append(StringStringEntryProto(key=key, value=value))
