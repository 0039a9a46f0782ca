"""Scores that must be reached, for use in continuous integration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import click


def read_bars(bars: Sequence[str], metrics: Sequence[str]) -> dict[str, float]:
    """Read METRIC=VALUE pairs.

    Args:
        bars: As typed.
        metrics: What is computed.

    Returns:
        Values by column.

    Raises:
        click.UsageError: If one is no number, or is not computed.
    """
    from smle.evaluation.metric_table import METRICS

    columns = {
        key: column.name
        for metric in metrics
        for column in METRICS[metric].columns
        for key in (column.name, column.name.replace("_", "-"), metric)
        # The name of a metric that gives several figures does not say which of them is meant.
        if key != metric or len(METRICS[metric].columns) == 1
    }
    found = {}
    for bar in bars:
        name, _, value = bar.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        # Nothing is less than nan: such a bar would let everything pass.
        if not math.isfinite(number):
            raise click.UsageError(f"--fail-under {bar!r}: write METRIC=NUMBER")
        if name not in columns:
            raise click.UsageError(
                f"--fail-under {bar!r}: {name} is not computed; choose from {', '.join(columns)}"
            )
        found[columns[name]] = number
    return found


def fallen_short(summary: dict[str, Any], bars: dict[str, float]) -> list[str]:
    """Say which systems miss a bar, by their means.

    Args:
        summary: Of an evaluation.
        bars: Values by column.

    Returns:
        One line for each miss; systems that are there to be compared with are not judged.
    """
    columns = {column["name"]: column for column in summary["columns"]}
    lines = []
    for name, bar in bars.items():
        sign = 1 if columns[name]["higher_is_better"] else -1
        for system in summary["systems"]:
            mean = system["scores"][name]["mean"]
            if system["kind"] not in ("estimate", "routed"):
                continue
            if mean is None or sign * mean < sign * bar:
                shown = "missing" if mean is None else f"{mean:.{columns[name]['decimals']}f}"
                lines.append(f"{system['name']}: {name} is {shown}, the bar is {bar:g}")
    return lines
