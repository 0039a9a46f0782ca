"""How much faster `smle eval` is than a plain loop, for the same numbers.

    python benchmarks/evaluation.py ../shared/data/pairs/dev/{noisy,clean} --jobs 2

The loop is what one would write: soundfile, torchmetrics, pesq and pystoi, file by file. Both are
timed in turns, after a first file that imports everything; the fastest turn of each counts.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from smle.evaluation.evaluate import evaluate
from smle.evaluation.pairs import Pair, match_pairs
from smle.evaluation.scoring import ScoringRule

METRICS = ("si-sdr", "sdr", "pesq", "estoi")


def plain_loop(pairs: tuple[Pair, ...]) -> np.ndarray:
    """Score with the reference packages, one file after the other."""
    import soundfile as sf
    import torch
    from pesq import pesq
    from pystoi import stoi
    from torchmetrics.functional.audio import (
        scale_invariant_signal_distortion_ratio,
        signal_distortion_ratio,
    )

    rows = []
    for pair in pairs:
        estimate, rate = sf.read(pair.estimates["estimate"])
        clean, _ = sf.read(pair.clean)
        mine, truth = torch.from_numpy(estimate), torch.from_numpy(clean)
        rows.append(
            [
                float(scale_invariant_signal_distortion_ratio(mine, truth, zero_mean=True)),
                float(signal_distortion_ratio(mine, truth)),
                pesq(rate, clean, estimate, "wb"),
                stoi(clean, estimate, rate, extended=True),
            ]
        )
    return np.array(rows)


def ours(pairs: tuple[Pair, ...], jobs: int) -> np.ndarray:
    """Score with `smle.evaluation.evaluate`."""
    found = evaluate(pairs, ScoringRule(METRICS), ["estimate"], jobs=jobs)
    return found.table.values[:, 0]


def main() -> None:
    """Time both and compare their numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("estimate", type=Path)
    parser.add_argument("clean", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--files", type=int, default=64)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    pairs = match_pairs({"estimate": options.estimate}, options.clean).pairs[: options.files]
    plain_loop(pairs[:1])
    ours(pairs[: 2 * options.jobs], options.jobs)
    loop_s, ours_s = [], []
    for _ in range(options.turns):
        start = time.perf_counter()
        theirs = plain_loop(pairs)
        loop_s.append(time.perf_counter() - start)
        start = time.perf_counter()
        mine = ours(pairs, options.jobs)
        ours_s.append(time.perf_counter() - start)
    worst = dict(zip(METRICS, np.abs(mine - theirs).max(axis=0).round(6).tolist(), strict=True))
    print(f"{len(pairs)} files; plain loop {min(loop_s):.1f} s, ours {min(ours_s):.1f} s")
    print(f"{min(loop_s) / min(ours_s):.2f} times as fast with {options.jobs} jobs")
    print(f"largest differences: {worst}")


if __name__ == "__main__":
    main()
