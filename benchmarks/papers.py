"""Test the claims of the two papers: sparse mixtures of specialists against generalists.

python benchmarks/papers.py DATA OUT [--seeds 1,2,3] [--report FOLDER] [--cache DIR]
                            [--updates N --joint N] [--only 'seed-1/snr*'] [--score-only]

DATA is laid out as speech.csv, noise.csv, speech/train, noise/train and pairs/dev. In OUT every
network gets the same number of updates. Kill it at any moment and run it again: it goes on, to the
same weights. At the end table.md, table.json and figure.png (where matplotlib is
installed) are written; with --score-only at once, from what is trained. One CPU thread is used.

With glibc, training is quicker when memory is not given back after each update:
export MALLOC_TRIM_THRESHOLD_=2000000000 MALLOC_MMAP_THRESHOLD_=2000000000
export MALLOC_TOP_PAD_=500000000
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from papers_findings import findings
from papers_plan import GROUPS, Budget
from papers_scores import Scored, score_run
from papers_table import write_report
from papers_training import list_material, runs, train_run
from running import dot, run_script
from threadpoolctl import threadpool_limits

from smle.evaluation.pair_lists import read_conditions
from smle.evaluation.pairs import Pair, match_pairs, with_conditions
from smle.training.stage import Progress


def main() -> None:
    """Train, score, and write table and figure."""
    options = _options()
    threadpool_limits(1)
    budget = Budget(options.updates, options.joint)
    options.out.mkdir(parents=True, exist_ok=True)
    material = list_material(options.data, options.out, options.cache)
    pairs = _pairs(options.data / "pairs" / "dev")
    scored: list[Scored] = []
    for run in runs(options.out, GROUPS, options.seeds):
        place = run.folder.relative_to(options.out)
        if not options.score_only and (options.only is None or place.match(options.only)):
            train_run(run, budget, material, _watch)
        if not run.is_finished:
            continue
        scored.append(score_run(run, pairs, dot))
        print(f"\n{run.folder}", file=sys.stderr, flush=True)
    if scored:
        write_report(options.report, findings(budget, scored))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for runs")
    parser.add_argument("--seeds", type=_seeds, default=(1, 2, 3), metavar="N,N")
    parser.add_argument("--report", type=Path, metavar="FOLDER", help="default: OUT")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="folder for decoded audio")
    parser.add_argument("--updates", type=int, default=Budget.updates, metavar="N")
    parser.add_argument("--joint", type=int, default=Budget.joint, metavar="N")
    parser.add_argument("--only", metavar="GLOB", help="train no other runs now")
    parser.add_argument("--score-only", action="store_true", help="train nothing more")
    options = parser.parse_args()
    options.report = options.report or options.out
    return options


def _seeds(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _pairs(folder: Path) -> tuple[Pair, ...]:
    pairs = match_pairs({}, folder / "clean", folder / "noisy").pairs
    return with_conditions(pairs, read_conditions(folder / "pairs.csv"))


def _watch(progress: Progress) -> None:
    if progress.score is not None:
        print(
            f"{progress.stage} {progress.step}/{progress.steps} "
            f"loss {progress.loss:.3f} held out {progress.score:.3f} {progress.extras or ''}",
            file=sys.stderr,
            flush=True,
        )


if __name__ == "__main__":
    run_script("papers", main)
