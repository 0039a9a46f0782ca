"""Perceptual scores by the well-kept packages for them: PESQ and STOI."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import ArrayLike

from smle.evaluation.metrics import MetricError, Signal, checked, energy_of_clean, resampled

PESQ_SAFE_S = 20
"""The package has room for 50 utterances and writes past it; shorter files cannot hold as many."""

_PESQ_PROGRAM = """
import sys, numpy, pesq
clean, estimate = numpy.frombuffer(sys.stdin.buffer.read()).reshape(2, -1)
print(pesq.pesq(int(sys.argv[1]), clean, estimate, sys.argv[2]))
"""


def pesq_mos(estimate: ArrayLike, clean: ArrayLike, sample_rate: int, *, band: str = "wb") -> float:
    """Return PESQ as MOS-LQO, by the `pesq` package (ITU-T P.862, P.862.2).

    Args:
        estimate: What the system gave, shape (time,).
        clean: The reference, shape (time,).
        sample_rate: In Hz; other rates than 8 and 16 kHz are resampled to 16 kHz.
        band: "wb" (50-7000 Hz) or "nb" (300-3400 Hz, telephone).

    Returns:
        A mean opinion score between 1 and 4.64 (wb) or 4.55 (nb).

    Raises:
        MetricError: If PESQ finds no utterance, the signals are too short, or the rate too low.
    """
    processed, reference = checked(estimate, clean)
    if band == "wb" and sample_rate < 16000:
        raise MetricError(
            f"pesq: wide band needs 16000 Hz, not {sample_rate} Hz; ask for pesq-nb instead"
        )
    energy_of_clean(reference)
    if not processed.any():
        raise MetricError("pesq: the estimate is silent; PESQ levels it first, which is impossible")
    rate = sample_rate if sample_rate == 8000 else 16000
    reference = resampled(reference, sample_rate, rate)
    processed = resampled(processed, sample_rate, rate)
    if reference.size > PESQ_SAFE_S * rate:
        return _pesq_apart(processed, reference, rate, band)
    from pesq import PesqError, pesq

    try:
        return float(pesq(rate, reference, processed, band))
    except (PesqError, ValueError) as error:
        reason = error.args[0] if error.args else error
        reason = reason.decode() if isinstance(reason, bytes) else reason
        raise MetricError(f"pesq: {reason}") from error


def stoi(
    estimate: ArrayLike, clean: ArrayLike, sample_rate: int, *, extended: bool = False
) -> float:
    """Return short-time objective intelligibility, by the `pystoi` package.

    ESTOI adds a trace of random noise; it is drawn from a fixed seed, so equal files score equal.
    Sources: Taal et al., TASLP 2011; Jensen & Taal, TASLP 2016 (extended).

    Args:
        estimate: What the system gave, shape (time,).
        clean: The reference, shape (time,).
        sample_rate: In Hz.
        extended: Whether to compute ESTOI.

    Returns:
        About 0 (unintelligible) to 1.

    Raises:
        MetricError: If less than 0.4 s of speech is left once silent frames are dropped.
    """
    import pystoi

    name = "estoi" if extended else "stoi"
    processed, reference = checked(estimate, clean)
    energy_of_clean(reference)
    # A muted estimate correlates with nothing; pystoi would divide 0 by 0.
    if not processed.any():
        return 0.0
    try:
        with warnings.catch_warnings(), _seeded():
            warnings.simplefilter("error", RuntimeWarning)
            return float(pystoi.stoi(reference, processed, sample_rate, extended))
    except (RuntimeWarning, ValueError, IndexError) as error:
        raise MetricError(f"{name}: too little speech, at least 0.4 s is needed") from error


def _pesq_apart(estimate: Signal, clean: Signal, rate: int, band: str) -> float:
    """Run PESQ in a process of its own, which may crash."""
    done = subprocess.run(
        [sys.executable, "-c", _PESQ_PROGRAM, str(rate), band],
        input=np.stack([clean, estimate]).tobytes(),
        capture_output=True,
        check=False,
    )
    if done.returncode < 0:
        raise MetricError(
            f"pesq: the package crashed on {clean.size / rate:.0f} s, for it holds 50 utterances "
            "at most; cut the file into sentences"
        )
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().splitlines()[-1]
        raise MetricError(f"pesq: {reason.partition(': ')[2] or reason}")
    return float(done.stdout)


@contextmanager
def _seeded() -> Iterator[None]:
    state = np.random.get_state()  # noqa: NPY002 (pystoi draws from this one)
    np.random.seed(0)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
