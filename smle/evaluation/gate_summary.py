"""How well a model's gate chose: accuracy, confusion, margin, entropy, switches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from smle.evaluation.score_table import ScoreTable
from smle.evaluation.systems import System

_ALL = "all files"


def summarise_gates(table: ScoreTable, systems: Sequence[System]) -> list[dict[str, Any]]:
    """Summarise the choices of every routed system.

    Args:
        table: Scores, with the facts of each file.
        systems: All systems.

    Returns:
        For each routed system: `accuracy` (the expert that ran longest is that of the true
        cluster), `whole_file_accuracy` (the largest mean logit is), both None where no truth is
        known; the confusion as `rows` over `experts`; the means of `margin` (logits), `entropy`
        (bit) and `switches_per_minute`.
    """
    found = []
    for system in systems:
        facts = [file[system.name] for file in table.facts if system.name in file]
        if system.kind != "routed" or not facts:
            continue
        known = [fact for fact in facts if "truth" in fact]
        pairs = Counter((str(fact.get("truth", _ALL)), str(fact["expert"])) for fact in facts)
        experts = list(system.experts)
        rows = [name for name in (*experts, _ALL) if any(truth == name for truth, _ in pairs)]
        found.append(
            {
                "system": system.name,
                "model": system.model,
                "experts": experts,
                "rows": [
                    {"label": row, "counts": [pairs[row, expert] for expert in experts]}
                    for row in rows
                ],
                "accuracy": _share(known, "expert"),
                "whole_file_accuracy": _share(known, "choice"),
                "margin": _mean(facts, "margin"),
                "entropy": _mean(facts, "entropy_bit"),
                "switches_per_minute": _mean(facts, "switches_per_minute"),
            }
        )
    return found


def gate_text(gate: dict[str, Any]) -> str:
    """Say how a gate chose, on one line.

    Args:
        gate: As `summarise_gates` gives it.

    Returns:
        Its accuracy, where the truth is known, its means and how often it switched.
    """
    words = [
        f"margin {gate['margin']:.2f}",
        f"entropy {gate['entropy']:.2f} bit",
        f"{gate['switches_per_minute']:.1f} switches a minute",
    ]
    if gate["accuracy"] is not None:
        words.insert(0, f"{100 * gate['whole_file_accuracy']:.1f} % by the mean of its logits")
        words.insert(0, f"right on {100 * gate['accuracy']:.1f} % of files")
    return f"gate of {gate['model']}: {', '.join(words)}"


def _share(facts: Sequence[dict[str, Any]], key: str) -> float | None:
    if not facts:
        return None
    return round(float(np.mean([fact[key] == fact["truth"] for fact in facts])), 6)


def _mean(facts: Sequence[dict[str, Any]], key: str) -> float:
    return round(float(np.mean([fact[key] for fact in facts])), 6)
