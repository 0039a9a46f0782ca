"""A whole evaluation: pairs in, scores logged, summary and report out."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smle.errors import CorpusError
from smle.evaluation.evaluate import evaluate
from smle.evaluation.examples import choose_examples, pack_example
from smle.evaluation.findings import primary_column, subject
from smle.evaluation.metric_table import METRICS
from smle.evaluation.pairs import Matched
from smle.evaluation.report import REPORT_NAMES, write_report
from smle.evaluation.score_log import ScoreLog
from smle.evaluation.score_table import ScoreTable
from smle.evaluation.scoring import ScoringRule
from smle.evaluation.summary import summarise_evaluation
from smle.evaluation.systems import System, file_systems
from smle.files.paths import shown

if TYPE_CHECKING:
    from smle.evaluation.model_systems import ModelSystems

LOG_NAME = "scores.jsonl"


@dataclass(frozen=True)
class EvaluationPlan:
    """What is to be evaluated.

    Args:
        matched: Pairs, and the files without a partner.
        rule: How pairs are scored.
        models: Models to run on the noisy signals.
        title: Heading of the report.
        command: What was typed, for the record.
        seed: Of the bootstrap.
        examples: How many files the page plays.
    """

    matched: Matched
    rule: ScoringRule
    models: ModelSystems | None = None
    title: str = "Speech enhancement evaluation"
    command: str = ""
    seed: int = 0
    examples: int = 9


def run_evaluation(
    plan: EvaluationPlan,
    *,
    report: Path | None = None,
    jobs: int = 1,
    resume: bool = False,
    force: bool = False,
    on_pair: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Score, summarise and write the report.

    Args:
        plan: What to evaluate.
        report: Folder for the report and the log of scores; None writes nothing.
        jobs: Processes.
        resume: Go on with the log in the folder.
        force: Throw an older log away.
        on_pair: Called after each pair.

    Returns:
        The summary, as in summary.json (see docs/eval.md).

    Raises:
        SmleError: If nothing can be scored, or the folder holds another evaluation.
    """
    systems = file_systems(plan.matched.pairs[0])
    if plan.models is not None:
        systems += plan.models.systems()
    _check_names(systems)
    settings: dict[str, Any] = asdict(plan.rule) | {
        "metrics": list(plan.rule.metrics),
        "systems": [_identity(system) for system in systems],
    }
    if plan.models is not None:
        settings |= {
            "route": plan.models.route,
            "hear_first": plan.models.hear_first,
            "models": plan.models.digests(),
        }
    if report is not None and not force:
        _refuse_foreign(report)
    log = ScoreLog(report / LOG_NAME, settings, resume=resume, force=force) if report else None
    with log or nullcontext():
        evaluation = evaluate(
            plan.matched.pairs,
            plan.rule,
            [system.name for system in systems],
            enhance=plan.models,
            jobs=jobs,
            log=log,
            on_pair=on_pair,
        )
    summary = summarise_evaluation(evaluation, systems, seed=plan.seed)
    summary = {
        "title": plan.title,
        "command": plan.command,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": _versions(plan.rule),
        "settings": settings,
        "unmatched": [shown(path) for path in plan.matched.unmatched],
        **summary,
    }
    if report is not None:
        write_report(report, evaluation.table, summary, _examples(plan, evaluation.table, summary))
    return summary


def _check_names(systems: Sequence[System]) -> None:
    """Refuse two systems of one name: the scores of one would stand for both."""
    names = [system.name for system in systems]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise CorpusError(
            f"two systems are named {twice!r}; give the files that are scored another name "
            "(a column estimate:NAME, or --system NAME=DIR)"
        )


def _refuse_foreign(report: Path) -> None:
    """Refuse a folder whose files would be replaced though no log says that they are ours."""
    foreign = [report / name for name in REPORT_NAMES if (report / name).exists()]
    if foreign and not (report / LOG_NAME).exists():
        raise CorpusError(
            f"{shown(foreign[0])} exists and is of no evaluation; give --force to replace it, or "
            "another --report folder"
        )


def _identity(system: System) -> Mapping[str, str]:
    return {"name": system.name, "kind": system.kind, "model": system.model}


def _examples(
    plan: EvaluationPlan, table: ScoreTable, summary: dict[str, Any]
) -> list[dict[str, Any]]:
    chosen = choose_examples(
        table, subject(summary), primary_column(summary)["name"], plan.examples
    )
    pairs = {pair.name: pair for pair in plan.matched.pairs}
    enhance = plan.models.audible if plan.models is not None else None
    packed = (pack_example(pairs[name], why, table, enhance) for name, why in chosen.items())
    return [example for example in packed if example is not None]


def _versions(rule: ScoringRule) -> dict[str, str]:
    packages = [
        "smle",
        "numpy",
        "scipy",
        *(p for name in rule.metrics for p in METRICS[name].packages),
    ]
    found = {"python": platform.python_version()}
    for package in dict.fromkeys(packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
