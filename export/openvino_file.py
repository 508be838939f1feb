"""An ONNX file as OpenVINO's own pair of files, which load faster and need no ONNX reader."""

from __future__ import annotations

from pathlib import Path

from export.errors import CompileError


def write_openvino(source: Path) -> tuple[Path, Path]:
    """Convert an ONNX file in float32; give the graph and the weights beside it.

    Raises:
        CompileError: when OpenVINO knows no rule for an operator.
    """
    import openvino  # an extra of its own

    target = source.with_suffix(".xml")
    try:
        model = openvino.convert_model(source)
        openvino.save_model(model, target, compress_to_fp16=False)
    except (RuntimeError, openvino.frontend.OpConversionFailure) as error:
        raise CompileError(f"{source.name}: OpenVINO cannot convert it ({error})") from error
    return target, target.with_suffix(".bin")
