"""What to do about files that are missing or hold the wrong tensors."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from models.checkpoints.checkpoint import Checkpoint
from models.checkpoints.comparison import Comparison
from models.checkpoints.network import Network, Part, PartFiles
from models.checkpoints.shard_index import INDEX_SUFFIX
from models.checkpoints.tensor_names import most_common

# Names that give away what a file is instead. The first that occurs is said.
GIVEAWAYS = (
    (
        ("condition_embedder.", ".attn1.", "encoder.block.", "vision_model."),
        "These are the names of the diffusers and transformers layouts. Take the original "
        "repository, not the one whose name ends in -Diffusers.",
    ),
    (
        ("lora_A", "lora_B", "lora_down", "lora_up", ".diff"),
        "This is a LoRA, not a network: give it as a LoRA beside the network's own files.",
    ),
    (
        ("scale_weight", "weight_scale", "weight._data", "qweight", "scaled_fp8"),
        "These weights are quantized with scales of their own. Take the unquantized files.",
    ),
    (
        ("audio_cross_attn.", "audio_proj.", "audio_emb."),
        "There are audio layers in these files: they are MultiTalk's or AnyTalker's. With "
        "MultiTalk's index beside the base model's shards, verify multitalk-14b, or put the base "
        "model's own index back.",
    ),
)


def download_command(part: Part, directory: Path) -> str:
    """Give the command that fetches a part to where `find_files` looks for it."""
    if part.repository is None:
        return "These weights have not been published; ask their authors."
    place = directory.parent if directory.is_file() else directory
    if place.name not in part.folders:
        place = place / part.folders[0]
    words = ["hf", "download", part.repository]
    file = part.choices[0]
    if file.endswith(INDEX_SUFFIX):
        words += ["--include", file.split(".")[0] + "*"]
    else:
        words.append(file)
    words += part.companions
    if part.revision is not None:
        words += ["--revision", part.revision]
    return shlex.join([*words, "--local-dir", str(place)])


def how_to_complete(files: Sequence[PartFiles], directory: Path) -> list[str]:
    """Give one download command for each part that lacks files."""
    return [
        download_command(each.part, directory)
        for each in files
        if each.absent or each.absent_companions
    ]


def how_to_mend(
    network: Network[nn.Module], comparison: Comparison, checkpoint: Checkpoint, directory: Path
) -> list[str]:
    """Say which file is probably the wrong one, why, and what to download instead."""
    said = []
    if not checkpoint.places.keys() - set(comparison.unexpected):
        said.append("None of this network's tensors is in these files: they are another network's.")
    names = [checkpoint.places[name].published for name in comparison.unexpected]
    if comparison.missing:
        names += checkpoint.left_out
    said += [
        sentence
        for fragments, sentence in GIVEAWAYS
        if any(fragment in name for name in names for fragment in fragments)
    ][:1]
    wrong = [*comparison.unexpected, *(each.name for each in comparison.misshapen)]
    suspect = most_common(str(checkpoint.places[name].file.path) for name in wrong)
    if suspect is not None:
        path, number = suspect
        said.append(f"{number} of the {len(wrong)} tensors that do not fit are in {path}.")
    parts = {_part_of(network, name) for name in comparison.missing}
    parts |= {_part_of(network, each.name) for each in comparison.misshapen}
    said += [download_command(part, directory) for part in network.parts if part in parts]
    return said


def _part_of(network: Network[nn.Module], name: str) -> Part:
    """Tell which part of a network a tensor is published in."""
    for part in network.parts:
        if any(fragment in name for fragment in part.replaces):
            return part
    return network.parts[0]
