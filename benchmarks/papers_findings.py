"""What the scores of benchmarks/papers.py say: means, claims, and sizes at equal quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from papers_plan import HIDDEN_SIZE, Budget, generalist_name
from papers_scores import ROUTES, Scored

from smle.evaluation.statistics import compare, summarise

# Of each claim: what, whose score, and the score it is held against.
CLAIMS = (
    ("naive beats the generalist of its size", ("naive", "routed"), (None, "generalist")),
    ("naive beats a generalist with all updates", ("naive", "routed"), ("all", "generalist")),
    ("fine-tuned beats the generalist of its size", ("tuned", "routed"), (None, "generalist")),
    ("fine-tuned beats naive", ("tuned", "routed"), ("naive", "routed")),
    ("fine-tuned on as much beats naive", ("tuned-wide", "routed"), ("naive", "routed")),
    ("fine-tuned beats the naive oracle", ("tuned", "routed"), ("naive", "oracle")),
    ("fine-tuned on as much beats the naive oracle", ("tuned-wide", "routed"), ("naive", "oracle")),
    ("naive comes near its oracle", ("naive", "routed"), ("naive", "oracle")),
    ("naive, hard against dense", ("naive", "routed"), ("naive", "dense")),
    ("fine-tuned, hard against dense", ("tuned", "routed"), ("tuned", "dense")),
    ("a longer trained gate against naive", ("gate-longer", "routed"), ("naive", "routed")),
    ("a gate that learns costs against naive", ("gate-cost", "routed"), ("naive", "routed")),
    (
        "fine-tuned with named clusters against naive",
        ("tuned-named", "routed"),
        ("naive", "routed"),
    ),
    ("by segment, guarded against naive", ("guarded", "segment"), ("naive", "segment")),
    (
        "by segment and guarded, against the generalist",
        ("guarded", "segment"),
        (None, "generalist"),
    ),
    ("fine-tuned, by file against by segment", ("tuned", "routed"), ("tuned", "segment")),
    ("naive, by file against by segment", ("naive", "routed"), ("naive", "segment")),
)

Runs = dict[str, dict[int, Scored]]


def findings(budget: Budget, scored: Sequence[Scored]) -> dict[str, Any]:
    """Summarise all runs.

    Args:
        budget: Of each network.
        scored: Runs of one or several seeds.

    Returns:
        Plain values: `rows` (a system run in one way), `claims` and `sizes`.
    """
    by_name: Runs = {}
    for one in scored:
        by_name.setdefault(one.run.folder.name, {})[one.run.seed] = one
    rows = [
        _row(name, route, seeds)
        for name, seeds in by_name.items()
        for route in ROUTES
        if route in next(iter(seeds.values())).improvements_db
    ]
    groups = [name.removesuffix("-naive") for name in by_name if name.endswith("-naive")]
    return {
        "budget": {**asdict(budget), "audio_s": budget.audio_s},
        "rows": rows,
        "claims": [
            claim
            for title, ours, theirs in CLAIMS
            for group in groups
            if (claim := _claim(title, group, _find(group, *ours), _find(group, *theirs), by_name))
        ],
        "sizes": _sizes(rows),
    }


def _row(name: str, route: str, seeds: dict[int, Scored]) -> dict[str, Any]:
    first = next(iter(seeds.values()))
    every = {seed: one.improvements_db[route] for seed, one in seeds.items()}
    means = {seed: round(float(np.nanmean(values)), 3) for seed, values in every.items()}
    [summary] = summarise(_seed_mean(every)[:, None])
    cost, group = first.cost, first.run.group
    mmac_per_s = {"dense": cost.dense_mmac_per_s, "routed": cost.active_mmac_per_s}
    return {
        "system": name,
        "route": route,
        "specialists": 0 if group is None else len(group.specialists),
        "hidden_size": first.run.hidden_size,
        "times": first.run.times,
        "seeds": means,
        "si_sdri_db": round(summary.mean, 3),
        "low": round(summary.low, 3),
        "high": round(summary.high, 3),
        "seed_std": round(float(np.std(list(means.values()), ddof=1)), 3)
        if len(means) > 1
        else None,
        "parameters": {
            "alone": cost.specialist_parameters,
            "active": cost.specialist_parameters if group is None else cost.active_parameters,
            "stored": cost.specialist_parameters if group is None else cost.stored_parameters,
        },
        "mmac_per_s": round(mmac_per_s.get(route, cost.generalist_mmac_per_s), 2),
        "gate_accuracy": _mean([one.gate_accuracy for one in seeds.values()]),
        "best_chosen": _mean([one.best_chosen for one in seeds.values()]),
        "cpu_s": _mean([one.run.cpu_s for one in seeds.values()]),
    }


def _find(group: str, training: str | None, route: str) -> tuple[str, str]:
    if training == "all":
        return generalist_name(HIDDEN_SIZE, int(group.rpartition("-")[2])), route
    return (generalist_name(HIDDEN_SIZE) if training is None else f"{group}-{training}"), route


def _claim(
    title: str, group: str, ours: tuple[str, str], theirs: tuple[str, str], by_name: Runs
) -> dict[str, Any] | None:
    differences = {
        seed: a.improvements_db[ours[1]] - b.improvements_db[theirs[1]]
        for seed, a in by_name.get(ours[0], {}).items()
        if (b := by_name.get(theirs[0], {}).get(seed)) is not None
        and ours[1] in a.improvements_db
        and theirs[1] in b.improvements_db
    }
    if not differences:
        return None
    mean = _seed_mean(differences)
    [difference] = compare(mean[:, None], np.zeros_like(mean)[:, None])
    return {
        "claim": title,
        "group": group,
        "difference_db": round(difference.mean, 3),
        "low": round(difference.low, 3),
        "high": round(difference.high, 3),
        "share_better": round(difference.share_better, 3),
        "seeds": {seed: round(float(np.nanmean(d)), 3) for seed, d in differences.items()},
    }


def _sizes(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """How many parameters a generalist of equal SI-SDRi has, over those of each mixture."""
    curve = sorted(
        (row["parameters"]["alone"], row["si_sdri_db"])
        for row in rows
        if not row["specialists"] and row["times"] == 1
    )
    found = []
    for row in rows:
        if row["route"] != "routed":
            continue
        needed, bound = parameters_at(curve, row["si_sdri_db"])
        ratios = {count: round(needed / own, 2) for count, own in row["parameters"].items()}
        found.append(
            {
                "system": row["system"],
                "generalist_parameters": round(needed),
                "bound": bound,
                "ratios": ratios,
            }
        )
    return found


def parameters_at(curve: Sequence[tuple[int, float]], si_sdri_db: float) -> tuple[float, str]:
    """Size at which a curve reaches a score, between its points by the logarithm of the size.

    Args:
        curve: Parameters and SI-SDRi, by rising parameters.
        si_sdri_db: The score.

    Returns:
        Parameters, and "=": or those of the curve's end with "<" or ">" where the score lies
        below or above all of it.

    >>> parameters_at([(100, 5.0), (10_000, 7.0)], 6.0)
    (1000.0, '=')
    >>> parameters_at([(100, 5.0), (10_000, 7.0)], 8.0)
    (10000.0, '>')
    """
    if si_sdri_db < curve[0][1]:
        return float(curve[0][0]), "<"
    for (small, low_db), (large, high_db) in pairwise(curve):
        if low_db <= si_sdri_db <= high_db:
            part = (si_sdri_db - low_db) / max(high_db - low_db, 1e-9)
            return round(small * (large / small) ** part, 6), "="
    return float(curve[-1][0]), ">"


def _seed_mean(values: dict[int, NDArray[np.float64]]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = np.mean(list(values.values()), axis=0)
    return mean


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.mean(known)), 3) if known else None
