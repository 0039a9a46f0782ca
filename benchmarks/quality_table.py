"""The result of benchmarks/quality.py as Markdown, CSV and JSON, chosen by the file's name."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from smle.files.whole_files import write_whole

COSTS = ("active_parameters", "stored_parameters", "mmac_per_s", "cpu_s_per_audio_s")
# What must be better than a peer's for a model to be better than the peer.
VERDICT = ("si_sdri_db", "pesq_wb", "estoi", "dnsmos_ovrl")
_NOT_SHOWN = ("dnsmos_p808",)


def write_results(path: Path, summary: dict[str, Any]) -> None:
    """Write the summary whole, in the format that the suffix names.

    Args:
        path: Ends in .md, .csv or .json; its folder is made if it is missing.
        summary: As `summarise_evaluation` gives it, with the circumstances.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, FORMATS[path.suffix](summary).encode())


def as_json(summary: dict[str, Any]) -> str:
    """Return everything that is known."""
    return json.dumps(summary, indent=1) + "\n"


def as_csv(summary: dict[str, Any]) -> str:
    """Return one line for each system: costs, and mean and interval of each score."""
    names = [column["name"] for column in summary["columns"]]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    ends = [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
    writer.writerow(["system", *ends, *COSTS])
    for system in summary["systems"]:
        scores = (system["scores"][name] for name in names)
        values = [score[key] for score in scores for key in ("mean", "low", "high")]
        values += [system["cost"].get(cost) for cost in COSTS]
        writer.writerow([system["name"], *("" if v is None else f"{v:.6g}" for v in values)])
    return buffer.getvalue()


def as_markdown(summary: dict[str, Any]) -> str:
    """Return the tables a reader wants: all systems, models against the others, by SNR."""
    columns = [column for column in summary["columns"] if column["name"] not in _NOT_SHOWN]
    pairs = summary["pairs"]
    lines = [
        f"# Quality on {pairs['scored']} pairs, {60 * pairs['hours']:.1f} minutes",
        "",
        f"{summary['created']}, {summary['machine']}. Means over files; "
        f"{columns[0]['label']} with its 95 % bootstrap interval. {summary['timing']}",
        "",
        *_table(
            ["system", "active", "stored", "MMAC/s", "CPU s per audio s", *map(_head, columns)],
            [
                [system["name"], *_costs(system["cost"])]
                + [_with_interval(system["scores"][columns[0]["name"]], columns[0])]
                + [_cell(system["scores"][column["name"]], column) for column in columns[1:]]
                for system in summary["systems"]
            ],
        ),
        "",
        *(f"- {name}: {definition}" for name, definition in summary["definitions"].items()),
    ]
    lines += [f"- Skipped: {line}" for line in summary["skipped"]]
    for system in summary["systems"]:
        if system["kind"] == "routed":
            lines += ["", *_against_the_others(summary, system["name"])]
    if groups := summary["conditions"].get("snr_db"):
        first = columns[0]
        systems = [system["name"] for system in summary["systems"]]
        cells = [
            [
                name,
                *(_with_interval(group["scores"][name][first["name"]], first) for group in groups),
            ]
            for name in systems
        ]
        heads = [f"{group['label']} dB ({group['count']} files)" for group in groups]
        lines += ["", f"## {_head(first)} by SNR", "", *_table(["system", *heads], cells)]
    failures = [
        f"- {failure['metric']} of {failure['system']}: {failure['count']} files, such as "
        f"{failure['examples'][0]['name']} ({failure['examples'][0]['reason']})"
        for failure in summary["failures"]
    ] + [f"- {pair['name']}: {pair['reason']}" for pair in pairs["unusable"]]
    lines += ["", "## Not scored", "", *failures] if failures else []
    return "\n".join([*lines, "", f"`{summary['command']}`", ""])


FORMATS: dict[str, Callable[[dict[str, Any]], str]] = {
    ".md": as_markdown,
    ".csv": as_csv,
    ".json": as_json,
}


def _against_the_others(summary: dict[str, Any], name: str) -> list[str]:
    """Paired differences of one system from every other, bold where the interval leaves out 0."""
    columns = [column for column in summary["columns"] if column["name"] in VERDICT]
    rows = []
    for comparison in summary["comparisons"]:
        if name not in (comparison["a"], comparison["b"]):
            continue
        sign = 1 if comparison["a"] == name else -1
        found = [comparison["differences"][column["name"]] for column in columns]
        above = sum(one["mean"] is not None and sign * one["mean"] > 0 for one in found)
        rows.append(
            [
                comparison["b" if sign > 0 else "a"],
                *(_gain(one, sign, column) for one, column in zip(found, columns, strict=True)),
                f"{above} of {len(columns)}",
            ]
        )
    return [
        f"## {name} against the others",
        "",
        "Mean difference on the same files [95 %]; bold where the interval leaves out 0.",
        "",
        *_table(["above", *map(_head, columns), "above in"], rows),
    ]


def _gain(found: dict[str, Any], sign: int, column: dict[str, Any]) -> str:
    if found["mean"] is None:
        return "-"
    ends = sorted((sign * found["low"], sign * found["high"]))
    low, mean, high = (
        f"{value:+z.{column['decimals']}f}" for value in (ends[0], sign * found["mean"], ends[1])
    )
    return f"**{mean}** [{low}, {high}]" if found["clear"] else f"{mean} [{low}, {high}]"


def _cell(score: dict[str, Any], column: dict[str, Any], key: str = "mean") -> str:
    return "-" if score[key] is None else f"{score[key]:z.{column['decimals']}f}"


def _with_interval(score: dict[str, Any], column: dict[str, Any]) -> str:
    mean, low, high = (_cell(score, column, key) for key in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"


def _costs(cost: dict[str, float]) -> list[str]:
    shown = dict.fromkeys(COSTS, "-") | {
        name: f"{value:.4f}"
        if name == "cpu_s_per_audio_s"
        else f"{value:.1f}"
        if name == "mmac_per_s"
        else f"{value / 1e3:.0f}K"
        for name, value in cost.items()
    }
    return [shown[name] for name in COSTS]


def _head(column: dict[str, Any]) -> str:
    return f"{column['label']} ({column['unit']})" if column["unit"] == "dB" else column["label"]


def _table(header: list[str], rows: list[list[str]]) -> list[str]:
    cells = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return [f"| {' | '.join(row)} |" for row in cells]
