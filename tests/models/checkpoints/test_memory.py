"""What loading costs in memory, measured by the operating system in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CLEAR = Path("/proc/self/clear_refs")  # writing 5 resets the peak
ALLOWANCE_BYTES = 48e6  # one batch of the map and a tensor in float32

# 24 layers of 8.4 MB: 201 MB in float32. `peak` forgets what happened before it was called.
PROGRAM = """
import gc, json, re, sys
from pathlib import Path
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from models.checkpoints.loading import Placement, load_network
from models.checkpoints.lora import Lora
from models.checkpoints.network import Network, Part
from models.checkpoints.opening import open_weights

def build():
    return nn.Sequential(*(nn.Linear(1448, 1448, bias=False) for _ in range(24)))

def status(name):
    found = re.search(name + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024

def peak(load):
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    loaded = load()
    size = sum(p.nbytes for p in loaded.parameters()) if isinstance(loaded, nn.Module) else 0
    return {"peak": status("VmHWM") - before, "size": size}

def load(folder, dtype, loras=()):
    part = Part(repository=None, folders=("x",), choices=(), containers=())
    network = Network(name="linears", build=build, parts=(part,))
    return load_network(network, folder, Placement(dtype=dtype, device=torch.device("cpu")), loras)

def load_naively(folder):
    module = build()
    module.load_state_dict(load_file(folder / "weights.safetensors"))
    return module

root = Path(sys.argv[1])
for name in ("safetensors", "torch"):
    (root / name).mkdir()
state = {f"{i}.weight": torch.full((1448, 1448), float(i)) for i in range(24)}
save_file(state, root / "safetensors" / "weights.safetensors")
torch.save(state, root / "torch" / "weights.pth")
del state
lora = {f"{i}.lora_down.weight": torch.ones(8, 1448) for i in range(24)}
lora |= {f"{i}.lora_up.weight": torch.ones(1448, 8) for i in range(24)}
save_file(lora, root / "lora.safetensors")
loras = [Lora(path=root / "lora.safetensors")]
load(root / "safetensors", torch.bfloat16)  # what the first call imports is not measured
print(json.dumps({
    "safetensors, float32": peak(lambda: load(root / "safetensors", torch.float32)),
    "safetensors, bfloat16": peak(lambda: load(root / "safetensors", torch.bfloat16)),
    "torch, float32": peak(lambda: load(root / "torch", torch.float32)),
    "torch, bfloat16": peak(lambda: load(root / "torch", torch.bfloat16)),
    "LoRA, bfloat16": peak(lambda: load(root / "safetensors", torch.bfloat16, loras)),
    "safetensors, header": peak(lambda: open_weights(root / "safetensors/weights.safetensors")),
    "torch, header": peak(lambda: open_weights(root / "torch/weights.pth")),
    "naive": peak(lambda: load_naively(root / "safetensors")),
}))
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, int]]:
    if not CLEAR.exists():
        pytest.skip("needs Linux's /proc to reset the peak")
    command = [sys.executable, "-c", PROGRAM, str(tmp_path_factory.mktemp("weights"))]
    # Or the allocator keeps freed tensors for the next measurement, sometimes.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}
    ran = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return dict(json.loads(ran.stdout))


def test_loading_never_holds_two_copies(measured: dict[str, dict[str, int]]) -> None:
    too_much = [name for name, cost in measured.items() if cost["peak"] > limit_bytes(cost)]
    assert too_much == ["naive"], measured  # naive shows that a second copy is seen


def test_a_header_is_read_without_the_data(measured: dict[str, dict[str, int]]) -> None:
    headers = [cost["peak"] for name, cost in measured.items() if name.endswith("header")]
    assert len(headers) == 2
    assert max(headers) < 8e6


def limit_bytes(cost: dict[str, int]) -> float:
    return cost["size"] * 1.15 + ALLOWANCE_BYTES
