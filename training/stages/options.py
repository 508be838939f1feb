"""Options that the commands of several stages share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

OutOption = Annotated[
    Path, typer.Option("--out", help="Folder of the run; the same command resumes it.")
]
SinglesOption = Annotated[
    list[Path] | None, typer.Option("--clips", help="Encoded clips of one person; repeatable.")
]
ScenesOption = Annotated[
    list[Path] | None, typer.Option("--scenes", help="Encoded clips of several people; repeatable.")
]
HeldOutOption = Annotated[
    list[Path] | None,
    typer.Option("--held-out", help="Encoded clips of the test split; repeatable."),
]
VaeOption = Annotated[
    Path | None,
    typer.Option("--vae", help="The autoencoder (.safetensors), its lip reader beside it."),
]
ConfigOption = Annotated[Path, typer.Option("--config", help="Settings, TOML.")]
MinutesOption = Annotated[
    float,
    typer.Option("--minutes", min=0.01, help="Training time of all sittings together."),
]
SmokeOption = Annotated[
    bool, typer.Option("--smoke", help="Tiny settings, dolls instead of people.")
]
DeviceOption = Annotated[str, typer.Option("--device", help="cpu or cuda.")]
