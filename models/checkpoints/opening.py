"""Opening a file of weights, or saying what else it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models.checkpoints.errors import WeightFileError
from models.checkpoints.safetensors_file import SafetensorsFile
from models.checkpoints.torch_file import TorchFile
from models.checkpoints.weight_file import WeightFile

ZIP = b"PK\x03\x04"  # torch.save since torch 1.6
PICKLE = b"\x80"  # torch.save before that
LFS_POINTER = b"version https://git-lfs"
SNIFFED_BYTES = 64


def open_weights(path: Path, containers: Sequence[str] = ()) -> WeightFile:
    """Read a file's header; its content says what kind of file it is.

    Args:
        path: a safetensors file or one written by torch.save.
        containers: keys of a torch file under which its tensors may stand, the best first.

    Raises:
        WeightFileError: when the file is truncated, corrupt, a git-lfs pointer or a web page, or
            would run code when unpickled.
    """
    try:
        with path.open("rb") as file:
            start = file.read(SNIFFED_BYTES)
    except OSError as error:
        raise WeightFileError(path, f"cannot be read ({error.strerror})") from error
    if start[8:9] == b"{":
        return SafetensorsFile(path)
    if start.startswith((ZIP, PICKLE)):
        if path.suffix == ".safetensors":  # torch.load goes by the name, and would fail
            raise WeightFileError(path, "is a torch file under a wrong name; rename it to .pth")
        return TorchFile(path, containers, is_mapped=start.startswith(ZIP))
    raise WeightFileError(path, _what_else(start, path.stat().st_size))


def _what_else(start: bytes, size_bytes: int) -> str:
    if start.startswith(LFS_POINTER):
        return (
            f"is a git-lfs pointer of {size_bytes} bytes, not the weights it points to; "
            "run `git lfs install` and `git lfs pull` in its folder, or download it with `hf`"
        )
    if not start.strip(b"\0"):
        return f"is empty ({size_bytes} bytes, no content); download it again"
    if start.lstrip()[:1] == b"<":
        return "is a web page, as a failed download leaves it; download it again with `hf`"
    return "is neither a safetensors nor a torch file; download it again"
