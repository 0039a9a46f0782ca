"""What an evaluation found, in sentences."""

from __future__ import annotations

from typing import Any

from smle.evaluation.scoring import NOISY

_PREFERRED = ("si_sdri_db", "si_sdr_db")
# Systems that could be shipped; the others are there to be compared with.
_SUBJECTS = ("estimate", "routed")
_PARTS = ("generalist", "dense", "oracle", "best")


def primary_column(summary: dict[str, Any]) -> dict[str, Any]:
    """Return the column that a reader wants first: SI-SDRi if there is one."""
    columns = {column["name"]: column for column in summary["columns"]}
    name = next((name for name in _PREFERRED if name in columns), next(iter(columns)))
    return dict(columns[name])


def subject(summary: dict[str, Any]) -> str:
    """Return the name of the best system that could be shipped, by the primary column."""
    column = primary_column(summary)
    sign = 1 if column["higher_is_better"] else -1
    systems = [
        system
        for system in summary["systems"]
        if system["kind"] in _SUBJECTS and system["scores"][column["name"]]["mean"] is not None
    ]
    best = max(
        systems,
        key=lambda system: sign * system["scores"][column["name"]]["mean"],
        default=summary["systems"][0],
    )
    return str(best["name"])


def findings(summary: dict[str, Any]) -> list[str]:
    """Compare the best system with every other one.

    Args:
        summary: As `summarise_evaluation` gives it, with the kinds of the systems.

    Returns:
        One sentence for each other system, the parts of other models left out.
    """
    column, name = primary_column(summary), subject(summary)
    systems = {system["name"]: system for system in summary["systems"]}
    sentences = []
    for comparison in summary["comparisons"]:
        if name not in (comparison["a"], comparison["b"]):
            continue
        sign = 1 if comparison["a"] == name else -1
        other = comparison["b"] if sign > 0 else comparison["a"]
        # Another model's parts say nothing of this one.
        if systems[other]["model"] != systems[name]["model"] and systems[other]["kind"] in _PARTS:
            continue
        found = comparison["differences"][column["name"]]
        if found["low"] is None:
            continue
        gain = sign * found["mean"]
        decimals, unit = column["decimals"], f" {column['unit']}".rstrip()
        ends = sorted((sign * found["low"], sign * found["high"]))
        # What rounds to nothing is nothing, however surely it is there.
        if not found["clear"] or round(gain, column["decimals"]) == 0:
            sentences.append(
                f"{name} and {other} cannot be told apart in {column['label']}: "
                f"{gain:+z.{decimals}f}{unit} {_interval(ends, decimals)}."
            )
            continue
        verb = "beats" if (gain > 0) == column["higher_is_better"] else "loses against"
        ends = ends if gain > 0 else [-end for end in reversed(ends)]
        share = found["share_better"] if sign > 0 else found["share_worse"]
        sentences.append(
            f"{name} {verb} {other} by {abs(gain):z.{decimals}f}{unit} {column['label']} "
            f"{_interval(ends, decimals)}, better on {100 * share:.0f} % of {found['count']} files."
        )
    return sorted(sentences, key=lambda sentence: f" {NOISY} " not in sentence)


def delays(summary: dict[str, Any]) -> list[str]:
    """Say which systems are out of time with the clean signal, and what was done about it.

    Args:
        summary: With the circumstances.

    Returns:
        One sentence for each system that has a delay.
    """
    sentences = []
    for system in summary["systems"]:
        name, delay = system["name"], system["delay"]
        median = delay["median"]
        if summary["settings"]["align"] and delay["files"]:
            sentences.append(
                f"{name}: a delay was removed from {delay['files']} of "
                f"{summary['pairs']['scored']} files, {median} samples (median; "
                f"{delay['lowest']} to {delay['highest']})."
            )
        elif not summary["settings"]["align"] and name != NOISY and abs(median) > 1:
            late = "late" if median > 0 else "early"
            sentences.append(
                f"{name} comes {abs(median)} samples {late} (median); not removed, "
                "give --align to remove it."
            )
    return sentences


def _interval(ends: list[float], decimals: int) -> str:
    return "[" + ", ".join(f"{end:z.{decimals}f}" for end in ends) + "]"
