"""Score estimates against clean speech, several systems side by side."""

from __future__ import annotations

import math
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from smle_cli.given_path import GivenPath
from smle_cli.main import NOTHING_DONE, FilesFailedError

if TYPE_CHECKING:
    from smle.evaluation.model_systems import ModelSystems
    from smle.evaluation.pairs import Matched, Pair

PLACE = GivenPath(path_type=Path)
FOLDER = GivenPath(path_type=Path, file_okay=False)


def _finite(context: click.Context, parameter: click.Parameter, seconds: float) -> float:
    if not math.isfinite(seconds):
        raise click.BadParameter(f"{seconds} is no length; give seconds")
    return seconds


@click.command(
    "eval",
    epilog="smle eval noisy/ clean/ --model base enhances, then scores; "
    "smle eval estimates/ clean/ --noisy noisy/ scores files; smle eval estimates/ rates speech "
    "without references.",
)
@click.argument("scored", metavar="ESTIMATE|NOISY", type=PLACE, required=False)
@click.argument("clean", type=PLACE, required=False)
@click.option("--model", "models", multiple=True, metavar="NAME|DIR", help="Enhance NOISY first.")
@click.option(
    "--route",
    type=click.Choice(["segment", "file"]),
    default="segment",
    show_default=True,
    help="How often a model's gate decides.",
)
@click.option(
    "--hear-first", is_flag=True, help="Models hear the first four seconds before they begin."
)
@click.option("--noisy", type=PLACE, metavar="DIR", help="What the tools were given.")
@click.option("--system", "systems", multiple=True, metavar="NAME=DIR", help="One more tool.")
@click.option("--pairs", type=PLACE, metavar="FILE", help="CSV or JSONL that lists the files.")
@click.option(
    "--conditions",
    type=PLACE,
    metavar="FILE",
    help="CSV or JSONL with a column `name`: SNR, speaker, anything to make tables by.",
)
@click.option("--metrics", metavar="NAME,...", help="What to compute; `list` explains all.")
@click.option("--align", is_flag=True, help="Remove a constant delay of each estimate.")
@click.option(
    "--max-delay",
    type=click.FloatRange(0),
    default=0.5,
    callback=_finite,
    metavar="SECONDS",
    show_default=True,
    help="Largest delay to look for.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0),
    default=0.05,
    callback=_finite,
    metavar="SECONDS",
    show_default=True,
    help="By how much lengths may differ.",
)
@click.option(
    "--report", type=FOLDER, metavar="DIR", help="Write CSV, JSON, Markdown and a page to open."
)
@click.option(
    "--examples",
    type=click.IntRange(0),
    default=9,
    metavar="N",
    show_default=True,
    help="Files that the page plays.",
)
@click.option("--title", default="Speech enhancement evaluation", help="Heading of the report.")
@click.option("--resume", is_flag=True, help="Keep what an earlier run has scored, do the rest.")
@click.option("--force", is_flag=True, help="Replace an older report.")
@click.option(
    "--jobs",
    "-j",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Processes; 0 takes all cores.  [default: 0]",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the intervals."
)
@click.option(
    "--fail-under",
    "bars",
    multiple=True,
    metavar="METRIC=VALUE",
    help="Exit with 1 if a system's mean is worse.",
)
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but scores and errors.")
def evaluate(
    scored: Path | None,
    clean: Path | None,
    *,
    models: tuple[str, ...],
    route: str,
    hear_first: bool,
    noisy: Path | None,
    systems: tuple[str, ...],
    pairs: Path | None,
    conditions: Path | None,
    metrics: str | None,
    align: bool,
    max_delay: float,
    tolerance: float,
    report: Path | None,
    examples: int,
    title: str,
    resume: bool,
    force: bool,
    jobs: int,
    seed: int,
    bars: tuple[str, ...],
    quiet: bool,
) -> int:
    """Score what a tool wrote, or what models make of noisy speech.

    Files belong together if their paths without extension are equal. With --system and several
    --model, systems are compared on the same files; all means have 95 % intervals.
    """
    if metrics == "list":
        _list_metrics()
        return 0
    if resume and force:
        raise click.UsageError("--force does everything anew, --resume keeps it; choose one")
    if resume and report is None:
        raise click.UsageError("--resume goes on with a report; give --report DIR")
    from smle.dispatch import cpu_count
    from smle.evaluation.run import EvaluationPlan, run_evaluation
    from smle.evaluation.scoring import ScoringRule
    from smle_cli.bars import fallen_short, read_bars
    from smle_cli.consoles import message_console, show_log
    from smle_cli.pair_progress import PairProgress
    from smle_cli.score_tables import show_scores

    show_log(quiet=quiet, verbose=False)
    matched = _matched(scored, clean, noisy, systems, pairs, conditions, enhances=bool(models))
    names = _metrics(metrics, matched.pairs[0], quiet=quiet)
    rule = ScoringRule(names, align=align, max_delay_s=max_delay, tolerance_s=tolerance)
    wanted = read_bars(bars, names)
    plan = EvaluationPlan(
        matched,
        rule,
        models=_models(models, route, hear_first=hear_first),
        title=title,
        command=shlex.join(["smle", *sys.argv[1:]]),
        seed=seed,
        examples=examples,
    )
    console = message_console()
    with PairProgress(None if quiet else console, len(matched.pairs)) as progress:
        summary = run_evaluation(
            plan,
            report=report,
            jobs=jobs or cpu_count(),
            resume=resume,
            force=force,
            on_pair=progress.advance,
        )
    show_scores(summary)
    if report is not None and not quiet:
        console.print(f"report: {report / 'report.html'}", markup=False, soft_wrap=True)
    short = fallen_short(summary, wanted)
    for line in short:
        click.echo(f"smle: {line}", err=True)
    if short:
        return NOTHING_DONE
    if summary["failures"] or summary["pairs"]["unusable"]:
        counts = (
            scores["count"] for system in summary["systems"] for scores in system["scores"].values()
        )
        raise FilesFailedError(max(counts, default=0))
    return 0


def _list_metrics() -> None:
    from smle.evaluation.metric_table import METRICS, missing_package

    for name, metric in METRICS.items():
        package = missing_package(name)
        missing = f" Needs {package}: pip install 'smle[eval]'." if package else ""
        click.echo(f"{name:8}  {metric.definition}{missing}")


def _metrics(metrics: str | None, pair: Pair, *, quiet: bool) -> tuple[str, ...]:
    """Return what is asked for, or what can be computed by default."""
    from smle.errors import SmleError
    from smle.evaluation.metric_table import DEFAULT_METRICS, METRICS, missing_package

    given = {"clean"} if pair.clean else set()
    given |= {"noisy"} if pair.noisy else set()
    if metrics is None:
        default = DEFAULT_METRICS if pair.clean else ("dnsmos",)
        names = [name for name in default if given.issuperset(METRICS[name].needs)]
    else:
        names = list(dict.fromkeys(name.strip() for name in metrics.split(",") if name.strip()))
        if not names:
            raise click.UsageError(f"--metrics is empty; choose from {', '.join(METRICS)}")
    for name in names:
        if name not in METRICS:
            raise click.UsageError(f"no metric {name!r}; choose from {', '.join(METRICS)}")
        if lacking := set(METRICS[name].needs) - given:
            role = sorted(lacking)[0]
            raise click.UsageError(f"{name} needs the {role} files; give them, or leave it out")
    missing = {name: package for name in names if (package := missing_package(name))}
    for name, package in missing.items():
        remedy = f"{name} needs the package {package}; pip install 'smle[eval]'"
        if metrics is not None or len(missing) == len(names):
            raise SmleError(remedy)
        if not quiet:
            click.echo(f"smle: left out: {remedy}", err=True)
    return tuple(name for name in names if name not in missing)


def _matched(
    scored: Path | None,
    clean: Path | None,
    noisy: Path | None,
    systems: tuple[str, ...],
    pairs: Path | None,
    conditions: Path | None,
    *,
    enhances: bool,
) -> Matched:
    from smle.evaluation.pair_lists import read_conditions, read_pairs
    from smle.evaluation.pairs import Matched, match_pairs, with_conditions

    if pairs is not None:
        if scored is not None or noisy is not None or systems:
            raise click.UsageError("--pairs lists all files; leave out folders and --system")
        matched = Matched(read_pairs(pairs), ())
        if enhances and matched.pairs[0].noisy is None:
            raise click.UsageError("--model enhances noisy files; the list has no column noisy")
    else:
        if scored is None:
            raise click.UsageError("give a folder to score, or --pairs FILE")
        if enhances and noisy is not None:
            raise click.UsageError("with --model the first folder is the noisy one; drop --noisy")
        estimates = _estimates(systems, enhances=enhances)
        if enhances:
            noisy = scored
        else:
            place = scored.resolve()
            name = place.name if place.is_dir() else place.stem
            name = "estimate" if name in (*estimates, "noisy", "clean") else name
            if name in estimates:
                raise click.UsageError(f"the name {name} is for the first folder; use another")
            estimates = {name: scored, **estimates}
        matched = match_pairs(estimates, clean, noisy)
    if conditions is not None:
        known = with_conditions(matched.pairs, read_conditions(conditions))
        matched = Matched(known, matched.unmatched)
    return matched


def _estimates(systems: tuple[str, ...], *, enhances: bool) -> dict[str, Path]:
    from smle.evaluation.systems import KINDS

    taken = {"noisy", "clean", *(KINDS if enhances else ())}
    estimates: dict[str, Path] = {}
    for system in systems:
        name, separator, place = system.partition("=")
        if not (name and separator and place):
            raise click.UsageError(f"--system {system!r}: write NAME=DIR")
        if name in taken:
            raise click.UsageError(f"--system {system!r}: the name {name} is taken; use another")
        taken.add(name)
        estimates[name] = Path(place)
    return estimates


def _models(models: tuple[str, ...], route: str, *, hear_first: bool) -> ModelSystems | None:
    if not models:
        if hear_first or route != "segment":
            raise click.UsageError("--hear-first and --route are for models; give --model as well")
        return None
    if len(set(models)) < len(models):
        raise click.UsageError("--model names one model twice; name each once")
    from smle.evaluation.model_systems import ModelSystems

    return ModelSystems(models, route, hear_first=hear_first)
