"""The second half of an export, on files alone: into the target's form, compared with torch.

Roles that run once a prompt, scene or chunk keep float32: they cost nothing and feed all the rest.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from export.dit import Form
from export.drafts import SLICE, SLICE_BF16, Draft, Graph
from export.errors import CompileError, ExportError
from export.fp8 import quantize_fp8
from export.half_storage import store_half
from export.network import STATE_OUTPUT
from export.onnx_file import data_file, remove
from export.openvino_file import load_openvino, write_openvino
from export.parity import ParityReport, compare_outputs, compare_rolls, require, worst_of
from export.program_file import ProgramRunner
from export.quantization import quantize_convolutions, quantize_matmuls
from export.records import Record
from export.request import ExportRequest, Target
from export.rollout import roll
from export.runners import OpenVinoRunner, OrtRunner, Runner
from export.shapes import Flavor
from export.tensorrt.build import Compiler, write_prepared
from export.tensorrt.target import (
    Api,
    EngineIdentity,
    gpu_named,
    parse_name,
    require_fresh,
)

logger = logging.getLogger(__name__)

DECODERS = frozenset({"vae_decoder", "vae_decoder_start"})


class Finished(NamedTuple):
    """Files of one network in the target's form."""

    graph: Graph  # names, shapes and types
    files: tuple[Path, ...]  # the first is the one to open
    precision: str
    flavor: Flavor | None  # of the transformer
    report: ParityReport
    identity: EngineIdentity | None  # of an engine
    flops: int | None  # of a call, where it is known


def require_tools(request: ExportRequest) -> None:
    """Refuse, before anything heavy, a target whose compiler is not there or not for the GPUs.

    Raises:
        CompileError: when it is not installed, or does not know a GPU.
        RequestError: when a GPU's name is none.
    """
    match request.target:
        case Target.OPENVINO:
            load_openvino()
        case Target.TENSORRT:
            compiler = Compiler(Api.RTX)
            for gpu in request.gpus:
                compiler.capability(gpu_named(gpu))
        case Target.ONNX | Target.TORCH:
            return


def is_fresh(records: Sequence[Record]) -> bool:
    """Say whether what an earlier run made may stay: an engine of another TensorRT may not."""
    engines = [each.entry for each in records if each.entry.format == Target.TENSORRT.value]
    if not engines:
        return True
    version = Compiler(Api.RTX).version
    for entry in engines:
        name = Path(entry.files[0].path).name
        _, built = parse_name(name)
        try:
            require_fresh(name, built._replace(api=Api.RTX, version=version))
        except CompileError as error:
            logger.info("%s", error)
            return False
    return True


def finish(draft: Draft, request: ExportRequest, folder: Path) -> list[Finished]:
    """Turn a draft into what the target runs; several engines for several GPUs.

    Raises:
        ParityError: when the result differs too much from torch float32; its files are deleted.
        CompileError: when the target's compiler refuses the graph.
    """
    if request.target is Target.TENSORRT:
        return _engines(draft, request, folder)
    if request.target is Target.OPENVINO:
        made = _openvino(draft, request)
    elif request.target is Target.TORCH:
        made = _program(draft, request)
    else:
        made = _onnx(draft, request)
    _require(made)
    return [made]


def _onnx(draft: Draft, request: ExportRequest) -> Finished:
    role, path = draft.graph.network.role, draft.graph.path
    precision = request.precision if role == "dit" or role in DECODERS else "fp32"
    if precision == "int8":
        plain, path = path, path.with_name(f"{path.stem}.int8.onnx")
        if role == "dit":
            quantize_matmuls(plain, path)
        else:
            quantize_convolutions(plain, path, [call.inputs for call in draft.calls])
        remove(plain)
    else:
        precision = "fp32"  # networks beside an engine keep it
    if request.precision == "int8":
        store_half(path)
    report = _compare(draft, OrtRunner(draft.graph.network, path), precision)
    files = _onnx_files(path)
    return Finished(draft.graph, files, precision, _flavor(draft), report, None, draft.flops)


def _openvino(draft: Draft, request: ExportRequest) -> Finished:
    # A decoder points into the reference picture; rounded to bf16 it points beside (0.08 off).
    precision = request.precision if draft.graph.network.role == "dit" else "fp32"
    files = write_openvino(draft.graph.path)
    remove(draft.graph.path)
    hint = "bf16" if precision == "bf16" else "f32"
    report = _compare(draft, OpenVinoRunner(draft.graph.network, files[0], hint), precision)
    # Processors without bf16 compute in float32 all the same; torch says what bf16 costs elsewhere.
    report = _with_bfloat16(draft, report)
    return Finished(draft.graph, files, precision, _flavor(draft), report, None, draft.flops)


def _program(draft: Draft, request: ExportRequest) -> Finished:
    precision = request.precision if draft.rolled is not None else "fp32"
    form = SLICE if precision == "fp32" else SLICE_BF16
    report = _compare(draft, ProgramRunner(draft.graph.network, draft.graph.path), precision, form)
    files = (draft.graph.path,)
    return Finished(draft.graph, files, precision, _flavor(draft), report, None, draft.flops)


def _engines(draft: Draft, request: ExportRequest, folder: Path) -> list[Finished]:
    """Build one engine a GPU; without one here, its graph's numbers stand for its own.

    fp32 is measured by ONNX Runtime on the same graph, bf16 by torch in bf16, fp8 by ONNX Runtime
    on the same nodes around float32.
    """
    if draft.compiled is None:
        raise ExportError(f"{draft.graph.network.key}: drafted without a graph for TensorRT")
    plain, graph, network = draft.graph, draft.compiled.path, draft.graph.network
    precision = "fp32" if draft.rolled is None else request.precision
    if draft.rolled is None:
        report = _compare(draft, OrtRunner(network, plain.path), precision)
    elif precision == "fp8":
        trial = graph.with_name("trial.onnx")
        quantize_fp8(plain.path, trial, draft.rolled.largest)
        report = _compare(draft, OrtRunner(network, trial), precision)
        remove(trial)
        coded = graph.with_name("coded.onnx")
        quantize_fp8(graph, coded, draft.rolled.largest)
        remove(graph)
        graph = coded
    else:
        report = compare_rolls(
            network.key, precision, draft.rolled.in_bfloat16, draft.rolled.chunks
        )
    require(report)
    remove(plain.path)
    prepared = write_prepared(graph, graph.with_name("prepared.onnx"))
    compiler, made = Compiler(Api.RTX), []
    flavor = None if draft.rolled is None else Flavor.INPLACE
    for gpu in request.gpus:
        engine = compiler.build(prepared, precision, gpu_named(gpu))
        path = folder / engine.identity.file_name(network.file_stem)
        path.write_bytes(engine.plan)
        identity = engine.identity
        made.append(
            Finished(draft.compiled, (path,), precision, flavor, report, identity, draft.flops)
        )
    shutil.rmtree(graph.parent)
    return made


def _compare(draft: Draft, run: Runner, precision: str, form: Form = SLICE) -> ParityReport:
    if draft.rolled is not None:
        found = roll(draft.rolled.stream, form, run)
        return compare_rolls(draft.graph.network.key, precision, found, draft.rolled.chunks)
    return _joined(list(_compared_calls(draft, run, precision)))


def _compared_calls(draft: Draft, run: Runner, precision: str) -> Iterator[ParityReport]:
    """Compare what a network gives call by call, each stream on the states it left itself.

    A chaotic network is compared, its states too, behind those that torch left: what two of its
    streams differ by after a while says nothing of how well each call is computed.
    """
    network = draft.graph.network
    own = () if network.is_chaotic else network.states
    handed_on = {f"{STATE_OUTPUT}{name}": name for name in own}
    states: dict[str, Tensor] = {}
    for call in draft.calls:
        found = run(call.inputs if call.is_first else call.inputs | states)
        states = {state: found[output] for output, state in handed_on.items()}
        expected = {k: v for k, v in call.outputs.items() if k not in handed_on}
        yield compare_outputs(network.key, precision, found, expected)


def _with_bfloat16(draft: Draft, report: ParityReport) -> ParityReport:
    if draft.rolled is None or not draft.rolled.in_bfloat16:
        return report
    torch_report = compare_rolls(
        report.key, report.precision, draft.rolled.in_bfloat16, draft.rolled.chunks
    )
    return max(report, torch_report, key=lambda each: each.worst)


def _joined(reports: Sequence[ParityReport]) -> ParityReport:
    worst = worst_of([each.worst for each in reports])
    first = reports[0]
    return ParityReport(
        key=first.key, precision=first.precision, relative_l2=(worst,), bound=first.bound
    )


def _require(made: Finished) -> None:
    if not made.report.is_met:
        for path in made.files:
            path.unlink()
    require(made.report)


def _onnx_files(path: Path) -> tuple[Path, ...]:
    weights = data_file(path)
    return (path, weights) if weights.is_file() else (path,)


def _flavor(draft: Draft) -> Flavor | None:
    return None if draft.rolled is None else Flavor.SLICE
