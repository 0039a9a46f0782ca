"""How scores spread over files: smoothed densities, and the worst and best files."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from smle.evaluation.score_table import ScoreTable

_POINTS = 96
_LISTED = 10


def densities(table: ScoreTable) -> dict[str, dict[str, Any]]:
    """Return, by column, a density over files for each system on one common axis.

    Gaussian kernels of Silverman's width; a column of equal scores has no density.

    Args:
        table: Scores.

    Returns:
        {"domain": [low, high], "densities": {system: 96 values}} by column.
    """
    found = {}
    for index, column in enumerate(table.columns):
        scores = table.values[:, :, index]
        known = scores[np.isfinite(scores)]
        low, high = (known.min(), known.max()) if known.size else (0.0, 1.0)
        # A single muted file must not squeeze all others into a corner.
        if known.size > 50:
            inner_low, inner_high = np.quantile(known, [0.002, 0.998])
            room = 0.5 * (inner_high - inner_low)
            low, high = max(low, inner_low - room), min(high, inner_high + room)
        margin = 0.06 * (high - low) or 1.0
        axis = np.linspace(low - margin, high + margin, _POINTS)
        found[column.name] = {
            "domain": [_short(axis[0]), _short(axis[-1])],
            "densities": {
                system: [_short(value) for value in _density(scores[:, s], axis)]
                for s, system in enumerate(table.systems)
            },
        }
    return found


def extremes(table: ScoreTable) -> dict[str, dict[str, dict[str, list[list[Any]]]]]:
    """Return, by column and system, the ten worst and the ten best files.

    Args:
        table: Scores.

    Returns:
        {"worst": rows, "best": rows}, a row being name, score and what is known of the file.
    """
    found: dict[str, dict[str, dict[str, list[list[Any]]]]] = {}
    for index, column in enumerate(table.columns):
        found[column.name] = {}
        for s, system in enumerate(table.systems):
            scores = table.values[:, s, index] * (1 if column.higher_is_better else -1)
            order = np.argsort(scores, kind="stable")
            order = order[np.isfinite(scores[order])]
            found[column.name][system] = {
                "worst": [_row(table, file, s, index) for file in order[:_LISTED]],
                "best": [_row(table, file, s, index) for file in order[::-1][:_LISTED]],
            }
    return found


def described(table: ScoreTable, file: int) -> str:
    """Return what is known of a file on one line."""
    words = []
    for name, values in table.conditions.items():
        value = values[file]
        if value is not None:
            shown = f"{round(value, 2):.15g}" if isinstance(value, float) else value
            words.append(f"{name} {shown}")
    return ", ".join(words)


def _row(table: ScoreTable, file: int, system: int, column: int) -> list[Any]:
    return [table.names[file], _short(table.values[file, system, column]), described(table, file)]


def _density(scores: NDArray[np.float64], axis: NDArray[np.float64]) -> NDArray[np.float64]:
    scores = scores[np.isfinite(scores)]
    quarters = np.quantile(scores, [0.25, 0.75]) if scores.size > 1 else np.zeros(2)
    spread = min(scores.std(), (quarters[1] - quarters[0]) / 1.34) if scores.size > 1 else 0.0
    if spread <= 0:
        return np.zeros(axis.size)
    width = 0.9 * spread * scores.size**-0.2
    distances = (axis[:, None] - scores) / width
    heights = np.exp(-0.5 * distances**2).mean(axis=1) / (width * np.sqrt(2 * np.pi))
    return np.asarray(heights)


def _short(value: float) -> float:
    return float(f"{value:.5g}")
