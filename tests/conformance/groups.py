"""Every kind of case the runner understands."""

from __future__ import annotations

from tests.conformance import (
    anytalker,
    attention_masks,
    causal,
    clip,
    interactivity,
    manifests,
    multitalk,
    multitalk_stream,
    samplers,
    schedulers,
    timesteps,
    umt5,
    wan_vae,
    wav2vec2,
)
from tests.conformance.case import Case, CaseError, Group

GROUPS: tuple[Group, ...] = (
    anytalker,
    attention_masks,
    causal,
    clip,
    interactivity,
    manifests,
    multitalk,
    multitalk_stream,
    samplers,
    schedulers,
    timesteps,
    umt5,
    wan_vae,
    wav2vec2,
)


def group_of(case: Case) -> Group:
    """Find the one group that understands a case.

    Raises:
        CaseError: when none does, or several do.
    """
    found = [group for group in GROUPS if group.matches(case.description)]
    if len(found) != 1:
        raise CaseError(f"{case.path} is understood by {len(found)} groups, expected one")
    return found[0]
