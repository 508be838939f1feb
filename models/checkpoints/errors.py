"""What can be wrong with checkpoint files, each with its facts as fields.

CheckpointError
 +-- WeightFileError        one file cannot be read
 +-- UnreadableFilesError   files of a network cannot be read, all listed
 +-- MissingFilesError      files are not there
 +-- DuplicateTensorsError  two files hold the same tensor
 +-- MismatchError          the tensors are not those of the network
 +-- LoraError              a LoRA does not fit the network
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from models.checkpoints.comparison import Comparison
from models.checkpoints.tensor_names import abbreviate, counted
from models.errors import CheckpointError


class WeightFileError(CheckpointError):
    """A file is no readable weight file: truncated, corrupt, a pointer, or unsafe to unpickle."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path} {self.reason}"


class UnreadableFilesError(CheckpointError):
    """Files of a network cannot be read; each has its reason."""

    def __init__(self, network: str, errors: Sequence[WeightFileError]) -> None:
        super().__init__(network, errors)
        self.network = network
        self.errors = tuple(errors)

    def __str__(self) -> str:
        first = f"{self.network}: {counted(len(self.errors), 'file')} cannot be read"
        return "\n  ".join([first, *map(str, self.errors)])


class MissingFilesError(CheckpointError):
    """Files of a network are not there."""

    def __init__(self, network: str, names: Sequence[str], advice: Sequence[str]) -> None:
        super().__init__(network, names, advice)
        self.network = network
        self.names = tuple(names)
        self.advice = tuple(advice)

    def __str__(self) -> str:
        first = f"{self.network}: {counted(len(self.names), 'file')} missing: "
        return "\n  ".join([first + ", ".join(self.names), *self.advice])


class DuplicateTensorsError(CheckpointError):
    """Two files hold the same tensor, and no rule says which of the two counts."""

    def __init__(self, duplicates: Mapping[str, tuple[Path, Path]]) -> None:
        super().__init__(duplicates)
        self.duplicates = dict(duplicates)

    def __str__(self) -> str:
        first, second = next(iter(self.duplicates.values()))
        return (
            f"{counted(len(self.duplicates), 'tensor')} in {first} and again in {second}: "
            f"{abbreviate(self.duplicates)}. Remove the file that does not belong to this network."
        )


class MismatchError(CheckpointError):
    """The files hold other tensors than the network has; every difference is listed."""

    def __init__(self, network: str, comparison: Comparison, advice: Sequence[str]) -> None:
        super().__init__(network, comparison, advice)
        self.network = network
        self.missing = comparison.missing
        self.unexpected = comparison.unexpected
        self.misshapen = comparison.misshapen
        self.advice = tuple(advice)

    def __str__(self) -> str:
        return "\n  ".join([f"{self.network}: the tensors do not fit", *self.lines()])

    def lines(self) -> list[str]:
        """Say each kind of difference in one line, long lists abbreviated, then what to do."""
        kinds: list[tuple[str, Iterable[object], int]] = [
            ("missing", self.missing, len(self.missing)),
            ("unexpected", self.unexpected, len(self.unexpected)),
            ("of the wrong shape", self.misshapen, len(self.misshapen)),
        ]
        said = [
            f"{counted(number, 'tensor')} {kind}: {abbreviate(map(str, items))}"
            for kind, items, number in kinds
            if number
        ]
        return [*said, *self.advice]


class LoraError(CheckpointError):
    """A LoRA holds tensors that change nothing in the network, or do not fit what they change."""

    def __init__(
        self,
        path: Path,
        unmatched: Sequence[str],
        misshapen: Sequence[str],
        unpaired: Sequence[str],
    ) -> None:
        super().__init__(path, unmatched, misshapen, unpaired)
        self.path = path
        self.unmatched = tuple(unmatched)
        self.misshapen = tuple(misshapen)
        self.unpaired = tuple(unpaired)

    def __str__(self) -> str:
        kinds = [
            ("fit no tensor of this network", self.unmatched),
            ("have another shape than what they change", self.misshapen),
            ("lack the other half of their pair", self.unpaired),
        ]
        said = [f"{len(names)} {kind}: {abbreviate(names)}" for kind, names in kinds if names]
        first = f"{self.path}: this LoRA was made for another network."
        last = "Take the LoRA of this network, or name what to leave out in Lora.skip."
        return "\n  ".join([first, *said, last])
