"""Whether a directory holds everything a preset needs, judged by headers alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from models.checkpoints.advice import how_to_complete, how_to_mend
from models.checkpoints.comparison import Comparison, compare
from models.checkpoints.errors import MismatchError
from models.checkpoints.network import Network, build_empty, find_files, read_headers
from models.checkpoints.presets import Preset
from models.errors import CheckpointError

BF16_BYTES = 2
NOTHING = Comparison(missing=(), unexpected=(), misshapen=())


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkReport:
    """What was found of one network."""

    network: str
    parameters: int
    paths: tuple[Path, ...]
    size_bytes: int  # of those files
    absent: tuple[str, ...]  # files that are not there
    comparison: Comparison  # tensors; empty as long as files are absent or unreadable
    problems: tuple[str, ...]  # sentences: what is wrong
    advice: tuple[str, ...]  # sentences and commands: what to do

    @property
    def is_complete(self) -> bool:
        return not (self.absent or self.problems)

    @property
    def bf16_bytes(self) -> int:
        return self.parameters * BF16_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetReport:
    """What was found of a preset."""

    preset: str
    directory: Path
    networks: tuple[NetworkReport, ...]

    @property
    def is_complete(self) -> bool:
        return all(report.is_complete for report in self.networks)

    @property
    def size_bytes(self) -> int:
        return sum(report.size_bytes for report in self.networks)

    @property
    def bf16_bytes(self) -> int:
        return sum(report.bf16_bytes for report in self.networks)


def verify(preset: Preset, directory: Path) -> PresetReport:
    """Compare a directory with a preset; what is wrong is in the report, not raised.

    Reads headers and no tensor data, but for torch files older than torch 1.6.
    """
    networks = tuple(_verify_network(network, directory) for network in preset.networks)
    return PresetReport(preset=preset.name, directory=directory, networks=networks)


def parameter_count(module: nn.Module) -> int:
    """Count the parameters of a module on any device."""
    return sum(parameter.numel() for parameter in module.parameters())


def _verify_network(network: Network[nn.Module], directory: Path) -> NetworkReport:
    module = build_empty(network)
    paths: tuple[Path, ...] = ()
    absent: tuple[str, ...] = ()
    comparison = NOTHING
    problems: list[str] = []
    advice: list[str] = []
    try:
        files = find_files(network, directory)
        paths = tuple(path for each in files for path in each.paths)
        absent = tuple(name for each in files for name in (*each.absent, *each.absent_companions))
        advice += how_to_complete(files, directory)
        checkpoint = read_headers(network, files)
        if not any(each.absent for each in files):
            comparison = compare(module.state_dict(), checkpoint.header, network.optional)
        if not comparison.is_equal:
            problems += MismatchError(network.name, comparison, ()).lines()
            advice += how_to_mend(network, comparison, checkpoint, directory)
    except CheckpointError as error:
        problems += str(error).split("\n  ")
    return NetworkReport(
        network=network.name,
        parameters=parameter_count(module),
        paths=paths,
        size_bytes=sum(path.stat().st_size for path in paths),
        absent=absent,
        comparison=comparison,
        problems=tuple(problems),
        advice=tuple(advice),
    )
