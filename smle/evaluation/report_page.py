"""The page of a report: one HTML file that holds its style, its script and its data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from smle.evaluation.distributions import densities, extremes
from smle.evaluation.findings import delays, findings, primary_column, subject
from smle.evaluation.metric_table import METRICS
from smle.evaluation.score_table import ScoreTable

_SCRIPTS = ("dom", "tables", "axes", "charts", "spectrogram", "listen", "main")
_PREFERRED_CONDITIONS = ("snr_db", "input_snr_db")


def render_page(
    table: ScoreTable, summary: dict[str, Any], examples: Sequence[dict[str, Any]]
) -> str:
    """Render the page.

    Args:
        table: Scores.
        summary: Of these scores, with the circumstances.
        examples: As `pack_example` gives them.

    Returns:
        HTML that needs nothing else.
    """
    conditions = summary["conditions"]
    names = [system["name"] for system in summary["systems"]]
    condition = next(
        (name for name in (*_PREFERRED_CONDITIONS, *conditions) if name in conditions), ""
    )
    others = [name for name in names if name != subject(summary)]
    report = {
        "title": summary["title"],
        "command": summary["command"],
        "created": summary["created"],
        "unmatched": summary["unmatched"],
        "summary": summary,
        "findings": [*findings(summary), *delays(summary)],
        "primary": primary_column(summary)["name"],
        "subject": subject(summary),
        "baseline": "generalist" if "generalist" in names else (others or names)[0],
        "condition": condition,
        "distributions": densities(table),
        "extremes": extremes(table),
        "examples": list(examples),
        "method": _method(summary),
    }
    # No browser reads NaN or Infinity: better no page than one that shows nothing.
    data = json.dumps(report, separators=(",", ":"), allow_nan=False)
    page = files("smle.evaluation") / "page"
    scripts = "\n".join((page / f"{name}.js").read_text("utf-8") for name in _SCRIPTS)
    parts = {
        "{{css}}": (page / "page.css").read_text("utf-8"),
        "{{js}}": f'"use strict";\n(() => {{\n{scripts}}})();',
        # Within a script element only "<" could end it.
        "{{data}}": data.replace("<", "\\u003c"),
    }
    html = (page / "page.html").read_text("utf-8")
    for mark, text in parts.items():
        before, _, after = html.partition(mark)
        html = before + text + after
    return html


def _method(summary: dict[str, Any]) -> list[tuple[str, str]]:
    settings = summary["settings"]
    labels = {column["name"]: column["label"] for column in summary["columns"]}
    texts = []
    for name in settings["metrics"]:
        metric = METRICS[name]
        title = ", ".join(labels[column.name] for column in metric.columns)
        texts.append((title, metric.definition))
    bootstrap = summary["bootstrap"]
    texts.append(
        (
            "Intervals",
            "95 % percentile bootstrap of the mean over files, "
            f"{bootstrap['resamples']} resamples, seed {bootstrap['seed']}. "
            "Differences between systems are paired: the same files are drawn for both. "
            "An interval says how much the mean would vary with other files of the same kind; it "
            "says nothing of other speakers, rooms or training runs.",
        )
    )
    delay = (
        f"A constant delay of up to {settings['max_delay_s']:g} s was removed from each estimate."
        if settings["align"]
        else "Delays were measured, not removed."
    )
    texts.append(
        (
            "Files",
            f"Lengths may differ by {settings['tolerance_s']:g} s and are cut to the shortest. "
            f"{delay} Channels are scored one by one and averaged.",
        )
    )
    if summary["gates"]:
        texts.append(
            (
                "Systems",
                "Routed runs one specialist at a time, chosen by the gate. Dense runs all of them "
                "and adds their masks by the gate's weights. Oracle is the specialist of the true "
                "cluster, best that of the highest SI-SDR on each file: neither can be built. "
                "Active and stored count parameters; CPU s/s is the processor time for a second of "
                "audio on one thread of the machine that made this report.",
            )
        )
    versions = ", ".join(f"{name} {version}" for name, version in summary["versions"].items())
    texts.append(("Versions", versions))
    return texts
