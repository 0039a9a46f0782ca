"""Means with bootstrap intervals, and paired differences between systems.

Files are resampled with replacement, all columns together, so that differences between systems
are paired: what one file does to both cancels. Failed scores (NaN) are left out of their column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 2000
CONFIDENCE = 0.95
# Resamples drawn at a time: 8 MB for 10,000 files.
_CHUNK = 100


@dataclass(frozen=True)
class Summary:
    """One column of scores in a few numbers; NaN where no file has a score, or one for an interval.

    Args:
        count: How many files have one.
        mean: Their mean.
        low: Lower end of the 95 % interval of the mean.
        high: Upper end.
        median: Their median.
        std: Their standard deviation (n - 1).
    """

    count: int
    mean: float
    low: float
    high: float
    median: float
    std: float


@dataclass(frozen=True)
class Difference:
    """How much system A scores above system B on the same files.

    Args:
        count: How many files both have a score for.
        mean: Mean of A - B.
        low: Lower end of its 95 % interval.
        high: Upper end.
        share_better: Share of files on which A is strictly better.
        share_worse: Share of files on which B is.
    """

    count: int
    mean: float
    low: float
    high: float
    share_better: float
    share_worse: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def summarise(values: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0) -> list[Summary]:
    """Summarise the columns of a table.

    Args:
        values: Shape (files, columns), NaN where there is no score.
        resamples: How many bootstrap samples to draw.
        seed: Of their drawing.

    Returns:
        One summary a column.

    >>> [column] = summarise([[1.0], [2.0], [3.0], [np.nan]])
    >>> column.count, column.mean, column.median
    (3, 2.0, 2.0)
    """
    table = np.asarray(values, np.float64)
    low, high = _intervals(table, resamples, seed)
    summaries = []
    for column, (bottom, top) in enumerate(zip(low, high, strict=True)):
        scores = table[np.isfinite(table[:, column]), column]
        if scores.size == 0:
            summaries.append(Summary(0, *[float("nan")] * 5))
            continue
        summaries.append(
            Summary(
                count=int(scores.size),
                mean=float(scores.mean()),
                low=float(bottom),
                high=float(top),
                median=float(np.median(scores)),
                std=float(scores.std(ddof=1)) if scores.size > 1 else 0.0,
            )
        )
    return summaries


def compare(
    a: ArrayLike,
    b: ArrayLike,
    *,
    higher_is_better: ArrayLike = True,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Difference]:
    """Compare two systems column by column, on the files that both have a score for.

    Args:
        a: Scores of system A, shape (files, columns).
        b: Scores of system B, same shape.
        higher_is_better: For each column, or for all.
        resamples: How many bootstrap samples to draw.
        seed: Of their drawing.

    Returns:
        One difference a column.

    >>> [difference] = compare([[2.0], [4.0], [5.0]], [[1.0], [3.0], [4.0]])
    >>> difference.mean, difference.low, difference.high, difference.share_better
    (1.0, 1.0, 1.0, 1.0)
    """
    differences = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    gains = np.where(higher_is_better, differences, -differences)
    low, high = _intervals(differences, resamples, seed)
    found = []
    for column, (bottom, top) in enumerate(zip(low, high, strict=True)):
        scored = gains[np.isfinite(gains[:, column]), column]
        count = int(scored.size)
        found.append(
            Difference(
                count=count,
                mean=float(np.nanmean(differences[:, column])) if count else float("nan"),
                low=float(bottom),
                high=float(top),
                share_better=float((scored > 0).mean()) if count else float("nan"),
                share_worse=float((scored < 0).mean()) if count else float("nan"),
            )
        )
    return found


def _intervals(
    table: NDArray[np.float64], resamples: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the percentile intervals of the columns' means."""
    columns = table.shape[1]
    scored = np.isfinite(table)
    # A column without scores or with equal ones needs no drawing, and rounding none either.
    lowest = np.where(scored, table, np.inf).min(axis=0, initial=np.inf)
    highest = np.where(scored, table, -np.inf).max(axis=0, initial=-np.inf)
    low, high = np.full(columns, np.nan), np.full(columns, np.nan)
    # One file says nothing of others.
    several = scored.sum(axis=0) > 1
    constant = several & (lowest == highest)
    low[constant] = high[constant] = lowest[constant]
    spread = several & (lowest < highest)
    if not spread.any():
        return low, high
    filled = np.where(scored, table, 0.0)[:, spread]
    mask = scored[:, spread].astype(np.float64)
    means = np.concatenate(
        [
            (weights @ filled) / np.where((total := weights @ mask) > 0, total, np.nan)
            for weights in _resampled_weights(len(table), resamples, seed)
        ]
    )
    tail = 100 * (1 - CONFIDENCE) / 2
    low[spread], high[spread] = np.nanpercentile(means, [tail, 100 - tail], axis=0)
    return low, high


def _resampled_weights(files: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Yield how often each file was drawn, shape (some resamples, files)."""
    rng = np.random.default_rng(seed)
    for start in range(0, resamples, _CHUNK):
        rows = min(_CHUNK, resamples - start)
        drawn = rng.integers(files, size=(rows, files)) + files * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * files)
        yield counts.reshape(rows, files).astype(np.float64)
