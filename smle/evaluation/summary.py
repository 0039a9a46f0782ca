"""What an evaluation says, in a dictionary that becomes JSON, Markdown and the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smle.evaluation.condition_groups import group_by
from smle.evaluation.evaluate import Evaluation
from smle.evaluation.gate_summary import summarise_gates
from smle.evaluation.pairs import Condition
from smle.evaluation.score_table import ScoreTable
from smle.evaluation.statistics import RESAMPLES, compare, summarise
from smle.evaluation.systems import System

SCHEMA = "smle.evaluation/1"
# Reasons are listed this often; the per-file table has them all.
_EXAMPLES = 5


def summarise_evaluation(
    evaluation: Evaluation,
    systems: Sequence[System],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """Summarise an evaluation: systems, comparisons, conditions and failures.

    Args:
        evaluation: Scores of files.
        systems: What the systems are.
        seed: Of the bootstrap.
        resamples: How many bootstrap samples to draw.

    Returns:
        Plain values only; docs/eval.md describes them. NaN is None.
    """
    table = evaluation.table
    known = {system.name: system for system in systems}
    files, _, columns = table.values.shape
    flat = summarise(table.values.reshape(files, -1), seed=seed, resamples=resamples)
    scores = {
        system: {
            column.name: _plain(asdict(flat[s * columns + c]))
            for c, column in enumerate(table.columns)
        }
        for s, system in enumerate(table.systems)
    }
    return {
        "schema": SCHEMA,
        "bootstrap": {"resamples": resamples, "seed": seed, "confidence": 0.95},
        "pairs": {
            "scored": files,
            "hours": round(float(table.seconds.sum()) / 3600, 4),
            "unusable": [
                {"name": name, "reason": reason} for name, reason in evaluation.unusable.items()
            ],
        },
        "columns": [{**asdict(column), "decimals": column.decimals} for column in table.columns],
        "systems": [
            {
                "name": name,
                "kind": known[name].kind,
                "model": known[name].model,
                "cost": {**known[name].cost, **_time(table, name)},
                "scores": scores[name],
                "delay": _delay(table.delays[_scored(table, s), s]),
            }
            for s, name in enumerate(table.systems)
        ],
        "comparisons": _comparisons(table, seed, resamples),
        "conditions": _conditions(table, seed, resamples),
        "gates": summarise_gates(table, systems),
        "failures": _failures(table),
    }


def _comparisons(table: ScoreTable, seed: int, resamples: int) -> list[dict[str, Any]]:
    found = []
    higher = [column.higher_is_better for column in table.columns]
    for b, a in combinations(range(len(table.systems)), 2):
        differences = compare(
            table.values[:, a],
            table.values[:, b],
            higher_is_better=higher,
            seed=seed,
            resamples=resamples,
        )
        found.append(
            {
                "a": table.systems[a],
                "b": table.systems[b],
                "differences": {
                    column.name: {**_plain(asdict(difference)), "clear": difference.is_clear}
                    for column, difference in zip(table.columns, differences, strict=True)
                },
            }
        )
    return found


def _conditions(table: ScoreTable, seed: int, resamples: int) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for name, values in {**table.conditions, **_clusters(table)}.items():
        groups = []
        in_db = any(hint in name.lower() for hint in ("db", "snr"))
        for group in group_by(values, in_db=in_db):
            part = table.values[group.files]
            flat = summarise(part.reshape(len(part), -1), seed=seed, resamples=resamples)
            keys = [(s, c.name) for s in table.systems for c in table.columns]
            scores: dict[str, dict[str, Any]] = {system: {} for system in table.systems}
            for (system, column), summary in zip(keys, flat, strict=True):
                scores[system][column] = _plain(asdict(summary))
            groups.append(
                {
                    "label": group.label,
                    "position": group.position,
                    "count": len(group.files),
                    "scores": scores,
                }
            )
        if groups:
            found[name] = groups
    return found


def _clusters(table: ScoreTable) -> dict[str, tuple[Condition | None, ...]]:
    """Return the true cluster of each file, for each model that has a gate."""
    gated = [s for s in table.systems if any("truth" in file.get(s, {}) for file in table.facts)]
    return {
        "cluster" if len(gated) == 1 else f"cluster of {system}": tuple(
            file.get(system, {}).get("truth") for file in table.facts
        )
        for system in gated
    }


def _failures(table: ScoreTable) -> list[dict[str, Any]]:
    counts = Counter((failure.system, failure.metric) for failure in table.failures)
    return [
        {
            "system": system,
            "metric": metric,
            "count": count,
            "examples": [
                {"name": failure.name, "reason": failure.reason}
                for failure in table.failures
                if (failure.system, failure.metric) == (system, metric)
            ][:_EXAMPLES],
        }
        for (system, metric), count in sorted(counts.items())
    ]


def _time(table: ScoreTable, system: str) -> dict[str, float]:
    """Return the median processor time for a second of audio, if the system ran here."""
    rates = [
        float(file[system]["cpu_s"]) / seconds
        for file, seconds in zip(table.facts, table.seconds, strict=True)
        if "cpu_s" in file.get(system, {})
    ]
    return {"cpu_s_per_audio_s": round(float(np.median(rates)), 6)} if rates else {}


def _scored(table: ScoreTable, system: int) -> NDArray[np.bool_]:
    """The files of which a system has any score: of the others no delay is known."""
    scored: NDArray[np.bool_] = np.isfinite(table.values[:, system]).sum(1) > 0
    return scored if scored.any() else ~scored


def _delay(samples: NDArray[np.int64]) -> dict[str, int]:
    return {
        "median": int(np.median(samples)),
        "lowest": int(samples.min()),
        "highest": int(samples.max()),
        "files": int(np.count_nonzero(samples)),
    }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: (round(value, 6) if np.isfinite(value) else None)
        if isinstance(value, float)
        else value
        for key, value in values.items()
    }
