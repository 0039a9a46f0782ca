"""The systems that are compared: what they are and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from smle.evaluation.pairs import Pair
from smle.evaluation.scoring import NOISY

KINDS = ("generalist", "routed", "dense", "oracle", "best")
"""How a model is run."""


@dataclass(frozen=True)
class System:
    """One system of a comparison.

    Args:
        name: In tables.
        kind: "noisy", "estimate" for files, or one of KINDS.
        model: The model it runs; "" for files.
        cost: Parameters and MMAC/s by name, as far as they mean something for it.
        experts: Names of the experts that may run in it.
    """

    name: str
    kind: str
    model: str = ""
    cost: Mapping[str, float] = field(default_factory=dict)
    experts: tuple[str, ...] = ()


def file_systems(pair: Pair) -> list[System]:
    """Return the systems whose output lies in files, the noisy signal first."""
    noisy = [System(NOISY, NOISY)] if pair.noisy is not None else []
    return noisy + [System(name, "estimate") for name in pair.estimates]
