"""List the bundled models: size, cost, latency, scores."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME|DIR]...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def models(names: tuple[str, ...], *, as_json: bool) -> None:
    """List the bundled models, or the named ones: what they store, what they cost, how they score.

    Parameters and MMAC/s are of one channel: active counts the gate and the one specialist that
    runs, stored counts all. SI-SDRi is the routed model's improvement, on what its card names.
    """
    from smle.model.folders import bundled_models, find_model

    folders = {name: find_model(name) for name in names} or bundled_models()
    facts = {name: _facts(folder) for name, folder in folders.items()}
    if as_json:
        click.echo(json.dumps(facts, indent=1))
    elif not facts:
        click.echo("no models are bundled; train one with: smle train", err=True)
    else:
        _print_table(facts)


def _facts(folder: Path) -> dict[str, Any]:
    from smle.errors import ModelError
    from smle.model.complexity import complexity
    from smle.model.folders import WEIGHTS_NAME
    from smle.model.weights import read_model

    recipe, _ = read_model(folder)
    path = folder / "scores.json"
    try:
        scores = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except ValueError as error:
        raise ModelError(
            f"{path} is no JSON ({error}); score the model anew, or remove it"
        ) from None
    return {
        "summary": recipe.summary,
        "folder": str(folder),
        "experts": list(recipe.expert_names),
        "sample_rate": recipe.spectral.sample_rate,
        "latency_ms": 1000 * recipe.spectral.window_s,
        "file_bytes": (folder / WEIGHTS_NAME).stat().st_size,
        **asdict(complexity(recipe)),
        "scores": scores,
    }


def _si_sdri(scores: Any) -> str:
    try:
        return f"{scores['si_sdri_db']['routed']:.1f} dB"
    except (KeyError, TypeError, ValueError):  # a model of one's own need not have been scored
        return "-"


def _print_table(facts: dict[str, dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", overflow="fold")
    for name in ("size", "active", "stored", "MMAC/s", "latency", "SI-SDRi"):
        table.add_column(name, justify="right")
    table.add_column("experts", overflow="fold")
    for name, fact in facts.items():
        cells = (
            name,
            f"{fact['file_bytes'] / 1e6:.1f} MB",
            f"{fact['active_parameters'] / 1e3:.0f}K",
            f"{fact['stored_parameters'] / 1e3:.0f}K",
            f"{fact['active_mmac_per_s']:.1f}",
            f"{fact['latency_ms']:.0f} ms",
            _si_sdri(fact["scores"]),
            ", ".join(fact["experts"]),
        )
        table.add_row(*(Text(cell) for cell in cells))
    console = Console(highlight=False)
    console.print(table)
    for name, fact in facts.items():
        console.print(f"{name}: {fact['summary']}", markup=False, soft_wrap=True)
