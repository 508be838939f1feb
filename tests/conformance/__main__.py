"""Run golden cases: `python -m tests.conformance CASE.json [CASE.json ...]`.

Prints one line per compared output and exits 1 when one fails, when a case cannot be read, or when
no group understands it. A case is known by what its file says, not by where it lies. A safetensors
file of attention masks is a case, too.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from tests.conformance.case import Case, CaseError, Check
from tests.conformance.groups import group_of


def line(case: Case, check: Check) -> str:
    """Give the printed line of one check."""
    verdict = "ok" if check.is_ok else "FAIL"
    note = f"  ({check.note})" if check.note else ""
    return (
        f"{verdict:4}  {case.path.stem}: {check.name}  max abs diff {check.max_abs_diff:.3e}  "
        f"tolerance {check.tolerance}{note}"
    )


def run_case(path: Path) -> bool:
    """Run one case, print its lines and say whether all is well."""
    try:
        case = Case.read(path)
        checks = []
        for check in group_of(case).run(case):
            print(line(case, check), flush=True)
            checks.append(check)
        if not checks:
            raise CaseError(f"{path} has no output to compare")
    except Exception as error:  # noqa: BLE001  # a broken case must not hide the cases after it
        print(f"FAIL  {path.stem}: {type(error).__name__}: {error}", flush=True)
        return False
    return all(check.is_ok for check in checks)


def main(arguments: Sequence[str]) -> int:
    """Run every case; give the exit status."""
    if not arguments:
        print("usage: python -m tests.conformance CASE.json [CASE.json ...]", file=sys.stderr)
        return 2
    torch.set_num_threads(1)  # networks this small only wait for their threads
    results = [run_case(Path(argument)) for argument in arguments]
    print(f"{sum(results)} of {len(results)} cases passed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
