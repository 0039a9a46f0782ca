"""A report in a folder: scores.csv, summary.json, summary.md and the page report.html."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from smle.evaluation.findings import delays, findings, primary_column
from smle.evaluation.gate_summary import gate_text
from smle.evaluation.report_page import render_page
from smle.evaluation.score_table import ScoreTable
from smle.files.whole_files import write_whole

REPORT_NAMES = ("scores.csv", "summary.json", "summary.md", "report.html")


def write_report(
    folder: Path, table: ScoreTable, summary: dict[str, Any], examples: Sequence[dict[str, Any]]
) -> list[Path]:
    """Write all files of a report; each appears whole, older ones are replaced.

    Args:
        folder: Made if it is missing.
        table: Scores.
        summary: Of these scores, with the circumstances.
        examples: As `pack_example` gives them.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = (
        scores_csv(table),
        json.dumps(summary, indent=1) + "\n",
        summary_markdown(summary),
        render_page(table, summary, examples),
    )
    for name, text in zip(REPORT_NAMES, texts, strict=True):
        write_whole(folder / name, text.encode("utf-8", "backslashreplace"))
    return [folder / name for name in REPORT_NAMES]


def scores_csv(table: ScoreTable) -> str:
    """Return one line for each file and system: conditions, scores, facts and failures.

    Args:
        table: Scores.

    Returns:
        CSV with a header; a score that could not be had is empty. A condition whose name is
        another column's is called condition_NAME.
    """
    buffer = io.StringIO()
    keys = sorted({key for file in table.facts for facts in file.values() for key in facts})
    writer = csv.writer(buffer, lineterminator="\n")
    before = ["name", "system", "seconds"]
    after = [*(column.name for column in table.columns), "delay_samples", *keys, "failures"]
    taken = {*before, *after}
    conditions = [f"condition_{name}" if name in taken else name for name in table.conditions]
    writer.writerow([*before, *conditions, *after])
    failures: dict[tuple[str, str], list[str]] = {}
    for failure in table.failures:
        entry = failures.setdefault((failure.name, failure.system), [])
        entry.append(f"{failure.metric}: {failure.reason}")
    for row, name in enumerate(table.names):
        for place, system in enumerate(table.systems):
            facts = table.facts[row].get(system, {})
            writer.writerow(
                [name, system, _short(table.seconds[row])]
                + [_short(values[row]) for values in table.conditions.values()]
                + [_short(value) for value in table.values[row, place]]
                + [table.delays[row, place], *(_short(facts.get(key)) for key in keys)]
                + ["; ".join(failures.get((name, system), ()))]
            )
    return buffer.getvalue()


def summary_markdown(summary: dict[str, Any]) -> str:
    """Return the summary as Markdown: findings, systems, conditions, what was left out.

    Args:
        summary: With the circumstances.

    Returns:
        Markdown.
    """
    columns = summary["columns"]
    lines = [f"# {summary['title']}", ""]
    lines += [f"- {sentence}" for sentence in (*findings(summary), *delays(summary))]
    lines += [
        "",
        f"{summary['pairs']['scored']} files, {summary['pairs']['hours']:.2f} h. "
        "Mean over files [95 % bootstrap interval of the mean].",
        "",
    ]
    lines += _table(
        ["system", *(_titled(column) for column in columns)],
        [
            [
                system["name"],
                *(
                    score_text(
                        system["scores"][column["name"]],
                        column["decimals"],
                        summary["pairs"]["scored"],
                    )
                    for column in columns
                ),
            ]
            for system in summary["systems"]
        ],
    )
    for gate in summary["gates"]:
        lines += ["", f"{gate_text(gate)}."]
    first = primary_column(summary)
    for name, groups in summary["conditions"].items():
        lines += ["", f"## {_titled(first)} by {name}", ""]
        lines += _table(
            [name, "files", *(system["name"] for system in summary["systems"])],
            [
                [group["label"], str(group["count"])]
                + [
                    score_text(
                        group["scores"][system["name"]][first["name"]],
                        first["decimals"],
                        group["count"],
                    )
                    for system in summary["systems"]
                ]
                for group in groups
            ],
        )
    left_out = [
        f"- {failure['metric']} of {failure['system']}: {failure['count']} files, "
        f"such as {failure['examples'][0]['name']} ({failure['examples'][0]['reason']})"
        for failure in summary["failures"]
    ]
    left_out += [f"- {pair['name']}: {pair['reason']}" for pair in summary["pairs"]["unusable"]]
    left_out += [f"- {name}: no partner" for name in summary["unmatched"]]
    if left_out:
        lines += ["", "## Left out", "", *left_out]
    return "\n".join([*lines, "", f"`{summary['command']}`", ""])


def _table(header: list[str], rows: list[list[str]]) -> list[str]:
    cells = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return ["| " + " | ".join(_cell(text) for text in row) + " |" for row in cells]


def _cell(text: str) -> str:
    return " ".join(text.splitlines()).replace("|", "\\|")


def _titled(column: dict[str, Any]) -> str:
    return f"{column['label']} ({column['unit']})" if column["unit"] else str(column["label"])


def score_text(score: dict[str, Any], decimals: int, files: int) -> str:
    """A summary's score as text: its mean, its interval where there is one, and of how many files.

    Args:
        score: Of the summary.
        decimals: To show.
        files: How many there are; a mean over fewer says so.

    >>> score_text({"mean": 9.14, "low": 8.26, "high": 10.03, "count": 9}, 1, files=9)
    '9.1 [8.3, 10.0]'
    """
    if score["mean"] is None:
        return "-"
    text = f"{score['mean']:z.{decimals}f}"
    if score["low"] is not None:
        text += f" [{score['low']:z.{decimals}f}, {score['high']:z.{decimals}f}]"
    return text if score["count"] == files else f"{text} ({score['count']} files)"


def _short(value: object) -> object:
    if isinstance(value, float | np.floating):
        if value == round(value, 0):
            return f"{value:.0f}"
        return "" if np.isnan(value) else f"{value:.6g}"
    return "" if value is None else value
