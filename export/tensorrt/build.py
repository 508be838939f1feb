"""From an ONNX graph to an engine: parsed as strongly typed, its layers counted, built.

Works with TensorRT 11 and with TensorRT-RTX, whose modules have one API but for the timing cache.
Types are those of the graph: neither library has precision flags any more.
"""

from __future__ import annotations

import importlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import onnx

from export.errors import CompileError
from export.onnx_file import save
from export.tensorrt.graph import prepare
from export.tensorrt.target import Api, EngineIdentity

# A layer that the parser makes of one ONNX node: what the graph was written for.
SINGLE_LAYERS: Mapping[str, str] = {
    "Attention": "ATTENTION_INPUT",
    "RotaryEmbedding": "ROTARY_EMBEDDING",
    "TensorScatter": "KV_CACHE_UPDATE",
}


class Profile(NamedTuple):
    """Sizes of one input with open axes: smallest, usual, largest."""

    input: str
    least: tuple[int, ...]
    usual: tuple[int, ...]
    most: tuple[int, ...]


class Engine(NamedTuple):
    """A built engine."""

    identity: EngineIdentity
    plan: bytes
    layers: Mapping[str, int]  # by type, as parsed
    seconds: float


# The modules of TensorRT publish no types, hence Any in this file.
def load_api(api: Api) -> Any:
    """Import TensorRT.

    Raises:
        CompileError: when it is not installed, or its libraries are not.
    """
    try:
        return importlib.import_module(api.value)
    except ImportError as error:
        extra = "tensorrt" if api is Api.FULL else "tensorrt-rtx"
        raise CompileError(
            f"{api.value} cannot be imported ({error}); pip install 'parley-avatar[{extra}]'"
        ) from error


def write_prepared(source: Path, target: Path) -> Path:
    """Write a copy of an ONNX file as TensorRT's parser wants it."""
    model = onnx.load(source)
    prepare(model)
    save(model, target)
    return target


class Compiler:
    """One library's parser and builder. Keeps nothing between builds but the library."""

    def __init__(self, api: Api) -> None:
        """Import the library.

        Raises:
            CompileError: when it cannot be imported.
        """
        self.api = api
        self._trt = load_api(api)
        self._logger = self._trt.Logger(self._trt.Logger.ERROR)

    @property
    def version(self) -> str:
        """The library's version."""
        return str(self._trt.__version__)

    def capability(self, gpu: str | None) -> Any:
        """Give the library's constant for a GPU that need not be here; None to leave it open.

        Raises:
            CompileError: when the library does not know the GPU.
        """
        if gpu is None or self.api is Api.FULL:
            return None
        known = self._trt.ComputeCapability
        if not hasattr(known, gpu):
            names = ", ".join(sorted(name for name in dir(known) if name.startswith("SM")))
            raise CompileError(
                f"{self.api.value} {self.version} does not know the GPU {gpu}; it knows {names}"
            )
        return getattr(known, gpu)

    def build(
        self,
        path: Path,
        precision: str,
        gpu: str | None,
        profiles: Sequence[Profile] = (),
        timing_cache: Path | None = None,
    ) -> Engine:
        """Build an engine from a prepared ONNX file (`write_prepared`).

        Args:
            path: the graph, its weights beside it.
            precision: what to call it.
            gpu: "SM89", ...; None builds for whatever GPU the library knows.
            profiles: of the inputs with open axes; static graphs have none.
            timing_cache: kept between builds; only TensorRT itself has one.

        Raises:
            CompileError: when the parser or the builder refuses, or an operator that should be one
                layer became several.
        """
        trt, began = self._trt, time.monotonic()
        builder = trt.Builder(self._logger)
        network = builder.create_network(self._strongly_typed())
        parser = trt.OnnxParser(network, self._logger)
        if not parser.parse_from_file(str(path)):
            errors = "; ".join(str(parser.get_error(i)) for i in range(parser.num_errors))
            raise CompileError(f"{path.name}: TensorRT cannot parse it ({errors})")
        layers = census(network)
        require_single_layers(path, layers)
        config = builder.create_builder_config()
        self._aim(config, gpu)
        self._add_profiles(builder, config, network, profiles)
        cache = self._open_timing_cache(config, timing_cache)
        plan = builder.build_serialized_network(network, config)
        if plan is None:
            raise CompileError(f"{path.name}: TensorRT cannot build it for {gpu}; see its log")
        if cache is not None and timing_cache is not None:
            timing_cache.write_bytes(bytes(cache.serialize()))
        identity = EngineIdentity(precision, gpu, self.api, self.version)
        return Engine(identity, bytes(plan), layers, time.monotonic() - began)

    def _strongly_typed(self) -> int:
        flag: int = 1 << int(self._trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        return flag

    def _aim(self, config: Any, gpu: str | None) -> None:
        """Aim at a GPU that need not be here; TensorRT itself builds for the one that is."""
        capability = self.capability(gpu)
        if capability is not None:
            config.num_compute_capabilities = 1
            config.set_compute_capability(capability, 0)

    def _add_profiles(
        self, builder: Any, config: Any, network: Any, profiles: Sequence[Profile]
    ) -> None:
        inputs = [network.get_input(i) for i in range(network.num_inputs)]
        open_axes = {each.name for each in inputs if -1 in tuple(each.shape)}
        if open_axes != {profile.input for profile in profiles}:
            raise CompileError(
                f"inputs {sorted(open_axes)} have open axes and need one profile each"
            )
        if not profiles:
            return
        made = builder.create_optimization_profile()
        for profile in profiles:
            made.set_shape(profile.input, profile.least, profile.usual, profile.most)
        config.add_optimization_profile(made)

    def _open_timing_cache(self, config: Any, path: Path | None) -> Any:
        # TensorRT-RTX would look for a GPU as soon as it is given one.
        if path is None or self.api is Api.RTX:
            return None
        cache = config.create_timing_cache(path.read_bytes() if path.is_file() else b"")
        config.set_timing_cache(cache, ignore_mismatch=False)
        return cache


def census(network: Any) -> dict[str, int]:
    """Count a parsed network's layers by type."""
    kinds = (network.get_layer(i).type for i in range(network.num_layers))
    return dict(Counter(str(kind).rpartition(".")[2] for kind in kinds))


def require_single_layers(path: Path, layers: Mapping[str, int]) -> None:
    """Refuse a parse in which attention, rotation or cache update fell apart.

    Raises:
        CompileError: when there are fewer such layers than nodes in the graph.
    """
    graph = onnx.load(path, load_external_data=False).graph
    nodes = Counter(node.op_type for node in graph.node)
    for operator, layer in SINGLE_LAYERS.items():
        if layers.get(layer, 0) != nodes[operator]:
            raise CompileError(
                f"{path.name}: {nodes[operator]} {operator} nodes became "
                f"{layers.get(layer, 0)} {layer} layers"
            )
