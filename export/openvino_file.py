"""An ONNX file as OpenVINO's own pair of files, which load faster and need no ONNX reader."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from export.errors import CompileError


def load_openvino() -> Any:
    """Import OpenVINO.

    Raises:
        CompileError: when it is not installed.
    """
    try:
        return importlib.import_module("openvino")
    except ImportError as error:
        raise CompileError(
            f"openvino cannot be imported ({error}); pip install 'parley-avatar[openvino]'"
        ) from error


def write_openvino(source: Path) -> tuple[Path, Path]:
    """Convert an ONNX file in float32; give the graph and the weights beside it.

    Raises:
        CompileError: when OpenVINO is not installed or knows no rule for an operator.
    """
    openvino = load_openvino()
    target = source.with_suffix(".xml")
    try:
        model = openvino.convert_model(source)
        openvino.save_model(model, target, compress_to_fp16=False)
    except (RuntimeError, openvino.frontend.OpConversionFailure) as error:
        raise CompileError(f"{source.name}: OpenVINO cannot convert it ({error})") from error
    return target, target.with_suffix(".bin")
