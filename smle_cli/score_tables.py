"""Scores on standard output: systems by metric, findings, conditions, what was left out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from smle.evaluation.report import score_text
from smle_cli.consoles import PLAIN_WIDTH

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_LISTED = 5


def show_scores(summary: dict[str, Any]) -> None:
    """Print a summary.

    Args:
        summary: Of an evaluation.
    """
    from rich.console import Console

    from smle.evaluation.findings import delays, findings, primary_column
    from smle.evaluation.gate_summary import gate_text

    columns = summary["columns"]
    width = None if sys.stdout.isatty() else max(PLAIN_WIDTH, 24 * (len(columns) + 2))
    console = Console(width=width, highlight=False)
    console.print(_systems(summary))
    pairs = summary["pairs"]
    _say(console, f"{pairs['scored']} files, {pairs['hours']:.2f} h; mean [95 % interval]")
    for sentence in findings(summary):
        _say(console, sentence)
    for gate in summary["gates"]:
        _say(console, gate_text(gate))
    column = primary_column(summary)
    for name in ("snr_db", "input_snr_db"):
        if name in summary["conditions"]:
            console.print()
            console.print(_by_condition(summary, name, column))
            break
    for sentence in delays(summary):
        _say(console, sentence)
    _left_out(console, summary)


def _systems(summary: dict[str, Any]) -> Table:
    table = _table("system")
    columns = summary["columns"]
    for column in columns:
        unit = f" ({column['unit']})" if column["unit"] else ""
        table.add_column(f"{column['label']}{unit}", justify="right")
    costs = [system["cost"] for system in summary["systems"]]
    has_cost = any("mmac_per_s" in cost for cost in costs)
    if has_cost:
        for heading in ("active", "stored", "MMAC/s", "CPU s/s"):
            table.add_column(heading, justify="right")
    for system, cost in zip(summary["systems"], costs, strict=True):
        cells = [
            score_text(
                system["scores"][column["name"]], column["decimals"], summary["pairs"]["scored"]
            )
            for column in columns
        ]
        if has_cost:
            cells += [
                _count(cost.get("active_parameters")),
                _count(cost.get("stored_parameters")),
                f"{cost['mmac_per_s']:.1f}" if "mmac_per_s" in cost else "",
                f"{cost['cpu_s_per_audio_s']:.4f}" if "cpu_s_per_audio_s" in cost else "",
            ]
        table.add_row(_text(system["name"]), *map(_text, cells))
    return table


def _by_condition(summary: dict[str, Any], name: str, column: dict[str, Any]) -> Table:
    table = _table(f"{column['label']} by {name}")
    groups = summary["conditions"][name]
    for group in groups:
        table.add_column(_text(group["label"]), justify="right")
    for system in summary["systems"]:
        cells = [
            score_text(
                group["scores"][system["name"]][column["name"]], column["decimals"], group["count"]
            )
            for group in groups
        ]
        table.add_row(_text(system["name"]), *map(_text, cells))
    table.add_row("files", *(str(group["count"]) for group in groups), style="dim")
    return table


def _left_out(console: Console, summary: dict[str, Any]) -> None:
    for failure in summary["failures"]:
        example = failure["examples"][0]
        _say(
            console,
            f"no {failure['metric']} of {failure['system']} for {failure['count']} files, "
            f"such as {example['name']}: {example['reason']}",
        )
    unusable = summary["pairs"]["unusable"]
    for pair in unusable[:_LISTED]:
        _say(console, f"not scored: {pair['name']}: {pair['reason']}")
    for path in summary["unmatched"][:_LISTED]:
        _say(console, f"no partner: {path}")
    rest = sum(max(0, len(some) - _LISTED) for some in (unusable, summary["unmatched"]))
    if rest:
        _say(console, f"... and {rest} more; --report DIR lists them all")


def _table(first: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column(first, overflow="fold")
    return table


def _say(console: Console, text: str) -> None:
    from smle.files.paths import shown

    console.print(shown(text), markup=False, soft_wrap=True)


def _text(cell: str) -> Any:
    from rich.text import Text

    return Text(cell)


def _count(number: float | None) -> str:
    if number is None:
        return ""
    return f"{number / 1e6:.2f}M" if number >= 1e6 else f"{number / 1e3:.0f}k"
