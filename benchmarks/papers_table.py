"""Table and figure of benchmarks/papers.py."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from smle.files.whole_files import write_whole

_COUNTS = {"alone": "specialist alone", "active": "active, with gate", "stored": "stored"}
_TICKS = {100_000: "100K", 300_000: "300K", 1_000_000: "1M", 3_000_000: "3M"}
_OTHER_ROUTES = ("segment", "dense", "oracle", "best")


def write_report(folder: Path, found: dict[str, Any]) -> None:
    """Write table.json, table.md and, where matplotlib is installed, figure.png.

    Args:
        folder: Where they go.
        found: As `papers_findings.findings` gives it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "table.json", (json.dumps(found, indent=1) + "\n").encode())
    write_whole(folder / "table.md", as_markdown(found).encode())
    try:
        picture = draw(found["rows"])
    except ImportError:
        return
    write_whole(folder / "figure.png", picture)


def as_markdown(found: dict[str, Any]) -> str:
    """Return the tables: generalists, mixtures, claims, sizes."""
    rows, budget = found["rows"], found["budget"]
    lines = [
        f"Every network: {budget['updates']} updates of {budget['batch_size']} x "
        f"{budget['segment_s']} s, {budget['audio_s'] / 3600:.1f} h of mixtures; of a fine-tuned "
        f"network's, the last {budget['joint']} are joint. SI-SDRi in dB, mean over files and "
        "seeds with its 95 % bootstrap interval over files.",
        "",
        *_table(
            ["generalist", "parameters", "MMAC/s", "SI-SDRi", "by seed", "CPU s"],
            [
                [
                    f"H = {row['hidden_size']}"
                    + (f", {row['times']} x updates" if row["times"] > 1 else ""),
                    f"{row['parameters']['alone']:,}",
                    f"{row['mmac_per_s']:.1f}",
                    _interval(row),
                    _seeds(row),
                    _cpu_s(row),
                ]
                for row in rows
                if not row["specialists"]
            ],
        ),
        "",
        *_table(
            ["mixture", "routed", *_OTHER_ROUTES, "by seed", "gate right", "best chosen", "CPU s"],
            [_mixture(row, rows) for row in rows if row["route"] == "routed"],
        ),
        "",
        *_table(
            ["claim", "mixture", "difference", "by seed", "better on"],
            [
                [
                    claim["claim"],
                    claim["group"],
                    f"{claim['difference_db']:+.2f} [{claim['low']:+.2f}, {claim['high']:+.2f}]",
                    ", ".join(f"{value:+.2f}" for value in claim["seeds"].values()),
                    f"{100 * claim['share_better']:.0f} %",
                ]
                for claim in found["claims"]
            ],
        ),
        "",
        *_table(
            ["mixture, routed", "generalist as good", *(f"... / {c}" for c in _COUNTS.values())],
            [
                [
                    size["system"],
                    f"{_sign(size['bound'])}{size['generalist_parameters']:,}",
                    *(f"{_sign(size['bound'])}{size['ratios'][count]:.2f}" for count in _COUNTS),
                ]
                for size in found["sizes"]
            ],
        ),
    ]
    return "\n".join(lines) + "\n"


def draw(rows: Sequence[dict[str, Any]]) -> bytes:
    """Draw SI-SDRi against parameters, counted in three ways; return a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4), layout="constrained")
    panels = figure.subplots(1, len(_COUNTS), sharey=True)
    generalists = sorted(
        (row for row in rows if not row["specialists"] and row["times"] == 1),
        key=lambda row: float(row["parameters"]["alone"]),
    )
    for panel, (count, title) in zip(panels, _COUNTS.items(), strict=True):
        _curve(panel, generalists, count, "generalist", "k-o")
        longer = [row for row in rows if row["times"] > 1 and not row["specialists"]]
        _curve(panel, longer, count, "generalist, all K's updates", "k*")
        for kind, marker in (("gender", "^"), ("snr", "s"), ("speaker", "D")):
            for training, colour in (("naive", "C0"), ("tuned", "C3")):
                own = [
                    row
                    for row in rows
                    if row["route"] == "routed"
                    and row["system"].startswith(kind)
                    and row["system"].endswith(training)
                ]
                _curve(panel, own, count, f"{kind}, {training}", f"{colour}:{marker}")
        panel.set(xscale="log", xlabel=f"parameters: {title}")
        panel.set_xticks(list(_TICKS), list(_TICKS.values()))
        panel.minorticks_off()
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("SI-SDRi in dB, hard-routed")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize="small")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _curve(panel: Any, rows: Sequence[dict[str, Any]], count: str, label: str, style: str) -> None:
    if not rows:
        return
    heights = [row["si_sdri_db"] for row in rows]
    reach = [
        [row["si_sdri_db"] - row["low"] for row in rows],
        [row["high"] - row["si_sdri_db"] for row in rows],
    ]
    sizes = [row["parameters"][count] for row in rows]
    panel.plot(sizes, heights, style, label=label, markersize=5)
    if label == "generalist":
        panel.errorbar(sizes, heights, reach, fmt="none", ecolor="0.7", capsize=2)


def _mixture(row: dict[str, Any], rows: Sequence[dict[str, Any]]) -> list[str]:
    own = {other["route"]: other for other in rows if other["system"] == row["system"]}
    return [
        row["system"],
        _interval(row),
        *(f"{own[route]['si_sdri_db']:.2f}" if route in own else "-" for route in _OTHER_ROUTES),
        _seeds(row),
        _percent(row["gate_accuracy"]),
        _percent(row["best_chosen"]),
        _cpu_s(row),
    ]


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _interval(row: dict[str, Any]) -> str:
    return f"{row['si_sdri_db']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"


def _seeds(row: dict[str, Any]) -> str:
    return ", ".join(f"{value:.2f}" for value in row["seeds"].values())


def _cpu_s(row: dict[str, Any]) -> str:
    return "-" if row["cpu_s"] is None else f"{row['cpu_s']:.0f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"


def _sign(bound: str) -> str:
    return "" if bound == "=" else f"{bound} "
