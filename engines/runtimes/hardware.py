"""Compiled networks run on the machine they were built for, and on no other."""

from __future__ import annotations

from engines.errors import ArtifactError
from engines.manifest import Hardware, NetworkEntry

ANY_GPU = "0.0"


def check_hardware(entry: NetworkEntry, here: Hardware) -> None:
    """Refuse a compiled network that was built for another machine: it must never run in silence.

    Raises:
        ArtifactError: when the GPU's architecture or the runtime's version differ.
    """
    built = entry.hardware
    if built is None:
        return
    is_for_any = built.compute_capability == ANY_GPU
    if not is_for_any and built.compute_capability != here.compute_capability:
        raise ArtifactError(
            f"{entry.files[0].path} was built for {built.gpu} (compute capability "
            f"{built.compute_capability}), this is {here.gpu} ({here.compute_capability}); "
            "run `parley export --target tensorrt` on this machine"
        )
    if built.runtime_version != here.runtime_version:
        raise ArtifactError(
            f"{entry.files[0].path} was built by {built.runtime_version}, here is "
            f"{here.runtime_version}; install that version or run `parley export` again"
        )
