"""What it costs an enhancer that a recording has passed through a filter.

python benchmarks/filtered.py --clean DIR --noisy DIR [--model NAME ...] [--peer NAME ...]

Recordings have been resampled, low-cut or carried by a telephone; corpora for training have not.
Each system enhances the filtered noisy signal, and the noisy signal to be filtered afterwards; both
are scored by SI-SDR against the filtered clean signal. What the first has less than the second is
what the filter costs. Models run as they are shipped, hard-routed by segment.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray
from peers import PEERS, Peer
from running import dot, run_script
from scipy.signal import fftconvolve, firwin
from threadpoolctl import threadpool_limits

from smle import load
from smle.evaluation.metrics import MetricError, si_sdr_db
from smle.evaluation.pairs import match_pairs
from smle.evaluation.statistics import summarise
from smle.files.audio import read

Signal = NDArray[np.float32]
Change = Callable[[Signal], Signal]
RATE_HZ = 16_000
TAPS = 2001


def to_48_khz_and_back(signal: Signal) -> Signal:
    """Leave the edge just below 8 kHz that resamplers leave."""
    there = soxr.resample(signal, RATE_HZ, 48_000)
    back: Signal = soxr.resample(there, 48_000, RATE_HZ)[: signal.size]
    return back


def passing(*edges_hz: float) -> Change:
    """A filter without delay that passes what lies above one edge, or between two."""
    taps = firwin(TAPS, edges_hz, fs=RATE_HZ, pass_zero=False)
    return lambda signal: fftconvolve(signal, taps, "same").astype(np.float32)


FILTERS: dict[str, Change] = {
    "to 48 kHz and back": to_48_khz_and_back,
    "nothing below 100 Hz": passing(100),
    "nothing below 300 Hz": passing(300),
    "a telephone, 300 to 3400 Hz": passing(300, 3400),
}


def scores_db(
    enhance: Change, change: Change, pairs: list[tuple[Signal, Signal]], estimates: list[Signal]
) -> NDArray[np.float64]:
    """SI-SDR of each pair, filtered before and after enhancing.

    Args:
        enhance: From noisy to estimate.
        change: The filter.
        pairs: Noisy and clean signals.
        estimates: What `enhance` makes of the noisy signals.

    Returns:
        Shape (pairs, 2).
    """
    rows = []
    for (noisy, clean), estimate in zip(pairs, estimates, strict=True):
        wanted = change(clean)
        candidates = enhance(change(noisy)), change(estimate)
        rows.append([si_sdr_db(candidate, wanted) for candidate in candidates])
        dot()
    return np.array(rows)


def main() -> None:
    """Score, and print the table."""
    options = _options()
    threadpool_limits(1)
    pairs = []
    for pair in match_pairs({}, options.clean, options.noisy).pairs[:: options.every]:
        assert pair.noisy and pair.clean
        (noisy, rate), (clean, _) = read(pair.noisy), read(pair.clean)
        if rate != RATE_HZ:
            raise MetricError(f"{pair.noisy}: has {rate} Hz; resample the pairs to {RATE_HZ} Hz")
        pairs.append((noisy[0], clean[0]))
    systems: dict[str, Change] = {}
    for name in options.model:
        systems[f"smle {name}"] = partial(load(name), sample_rate=RATE_HZ)
    for name in options.peer:
        peer = PEERS[name]
        if peer.installed_version is None:
            print(f"skipped: {name}, not installed: {peer.install_line}", file=sys.stderr)
        else:
            systems[name] = partial(_fresh, peer)
    print(f"{len(pairs)} pairs, mean SI-SDR in dB, and 95 % interval of what a filter costs\n")
    print("| system | filter | filtered before | after | cost (dB) | worst |")
    print("|---|---|---:|---:|---:|---:|")
    for system, enhance in systems.items():
        estimates = [enhance(noisy) for noisy, _ in pairs]
        for name, change in FILTERS.items():
            both_db = scores_db(enhance, change, pairs, estimates)
            cost_db = both_db[:, 1] - both_db[:, 0]
            found = summarise(cost_db[:, None])[0]
            before_db, after_db = both_db.mean(0)
            print(
                f"| {system} | {name} | {before_db:.2f} | {after_db:.2f} "
                f"| {found.mean:.2f} [{found.low:.2f}, {found.high:.2f}] | {cost_db.max():.1f} |"
            )


def _fresh(peer: Peer, noisy: Signal) -> Signal:
    return peer.enhance(peer.start(), noisy, RATE_HZ)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clean", type=Path, required=True, metavar="DIR")
    parser.add_argument("--noisy", type=Path, required=True, metavar="DIR")
    parser.add_argument("--model", nargs="*", default=["default"], metavar="NAME")
    parser.add_argument("--peer", nargs="*", default=[], metavar="NAME", choices=PEERS)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every Nth pair")
    return parser.parse_args()


if __name__ == "__main__":
    run_script("filtered", main)
