"""Files in groups of equal condition, such as the input SNR to the nearest 5 dB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smle.evaluation.pairs import Condition

MAX_GROUPS = 40
_FEW_VALUES = 12
_STEP_DB = 5.0


@dataclass(frozen=True)
class Group:
    """Files that share a condition.

    Args:
        label: The value, or the range, for readers.
        position: The value as a number for an axis; None for words.
        files: Indices into the table.
    """

    label: str
    position: float | None
    files: NDArray[np.intp]


def group_by(values: Sequence[Condition | None], *, in_db: bool = False) -> list[Group]:
    """Group files by one condition.

    Words and up to 12 different numbers are taken as they are. More levels in dB, and levels that
    differ on every file, are rounded to 5 when they span more than 10. Otherwise more numbers are
    taken as they are if each stands for two files or more on average, or else are cut into quarters
    of the files.

    Args:
        values: The condition of each file; None where it is unknown.
        in_db: Whether numbers are levels in dB.

    Returns:
        Groups in rising order, words by the alphabet; none if grouping would say nothing:
        one group only, more than 40, or, above 12, as many as files.

    >>> [(group.label, group.files.tolist()) for group in group_by([5.0, -5.0, 5.0, None])]
    [('-5', [1]), ('5', [0, 2])]
    """
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, float) for value in known):
        numbers = np.array([np.nan if v is None else v for v in values], np.float64)
        groups = _numbers(numbers, in_db=in_db)
    else:
        words = sorted({str(value) for value in known})
        groups = [
            Group(word, None, np.flatnonzero([v is not None and str(v) == word for v in values]))
            for word in (words if len(words) <= MAX_GROUPS else ())
        ]
    if not 1 < len(groups) <= MAX_GROUPS or len(groups) == len(known) > _FEW_VALUES:
        return []
    return groups


def _numbers(numbers: NDArray[np.float64], *, in_db: bool) -> list[Group]:
    finite = numbers[np.isfinite(numbers)]
    levels = np.unique(finite)
    is_wide = in_db and bool(finite.size) and finite.max() - finite.min() > 2 * _STEP_DB
    is_few = levels.size <= _FEW_VALUES and not (is_wide and levels.size == finite.size)
    if is_few or (not is_wide and finite.size >= 2 * levels.size):
        labels = [f"{level:.15g}" for level in levels.round(2) + 0.0]
        if len(set(labels)) < levels.size:
            labels = [f"{level:.15g}" for level in levels]
        return [
            Group(label, float(level), np.flatnonzero(numbers == level))
            for label, level in zip(labels, levels, strict=True)
        ]
    if is_wide:
        rounded = _STEP_DB * np.round(numbers / _STEP_DB) + 0.0
        return [
            Group(f"{level:.15g}", float(level), np.flatnonzero(rounded == level))
            for level in np.unique(rounded[np.isfinite(rounded)])
        ]
    edges = np.quantile(finite, [0.25, 0.5, 0.75])
    quarter = np.where(np.isfinite(numbers), np.searchsorted(edges, numbers), -1)
    groups = []
    for index in range(4):
        files = np.flatnonzero(quarter == index)
        if files.size:
            low, high = numbers[files].min(), numbers[files].max()
            groups.append(Group(f"{low:.3g} to {high:.3g}", float((low + high) / 2), files))
    return groups
