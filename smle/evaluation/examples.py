"""Files to listen to: which ones, and their signals packed into text."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import soundfile as sf

from smle.errors import SmleError
from smle.evaluation.distributions import described
from smle.evaluation.pairs import Pair
from smle.evaluation.score_table import ScoreTable
from smle.evaluation.scoring import NOISY, Audio, SystemEstimate
from smle.files.audio import read

MAX_SECONDS = 20.0
CLEAN = "clean"

Audible = Callable[[Audio, int], Mapping[str, SystemEstimate]]


def choose_examples(table: ScoreTable, system: str, column: str, count: int) -> dict[str, str]:
    """Choose files for every kind of ear: the worst, the best, and some between by rank.

    Args:
        table: Scores.
        system: Whose scores rank the files.
        column: Which score ranks them.
        count: How many are wanted: a third of each sort.

    Returns:
        Why each was chosen, by name, from the worst to the best.
    """
    index = table.column(column)
    scores = table.values[:, table.systems.index(system), index]
    scores = scores * (1 if table.columns[index].higher_is_better else -1)
    order = np.argsort(scores, kind="stable")
    order = order[np.isfinite(scores[order])]
    last, third = len(order) - 1, -(-count // 3)
    between = np.linspace(third, last - third, max(0, count - 2 * third) + 2).round()[1:-1]
    wanted = [*range(third), *between.astype(int).tolist(), *range(last - third + 1, last + 1)]
    ranks = sorted({rank for rank in wanted if 0 <= rank <= last})[:count]
    reasons = {}
    for rank in ranks:
        if rank < third:
            reason = f"worst {rank + 1}"
        elif rank > last - third:
            reason = f"best {last - rank + 1}"
        else:
            reason = f"better than {100 * rank / last:.0f} %"
        reasons[table.names[order[rank]]] = reason
    return reasons


def pack_example(
    pair: Pair, why: str, table: ScoreTable, enhance: Audible | None = None
) -> dict[str, Any] | None:
    """Pack the signals of a pair for the page: the first channel, at most 20 s, one gain for all.

    Args:
        pair: Its files.
        why: Why it was chosen.
        table: Scores, to show beside the signals.
        enhance: Systems that run here.

    Returns:
        Plain values; None if its files cannot be read any more, or FLAC does not know their rate.
    """
    try:
        signals = list(_signals(pair, enhance))
    except SmleError:
        return None
    rate = signals[0][3]
    if not _flac_knows(rate):
        return None
    frames = round(MAX_SECONDS * rate)
    first = [audio[0, :frames] for _, _, audio, _, _ in signals]
    gain = 0.9 / max(1e-9, *(float(np.abs(signal).max(initial=0)) for signal in first))
    file = table.names.index(pair.name)
    return {
        "name": pair.name,
        "why": why,
        "about": described(table, file),
        "sample_rate": rate,
        "signals": [
            {
                "label": label,
                "kind": kind,
                "scores": _scores(table, file, label),
                "flac": _flac(gain * signal, rate),
            }
            for (label, kind, *_), signal in zip(signals, first, strict=True)
        ],
        "routing": {label: record for label, _, _, _, record in signals if record},
    }


def _signals(
    pair: Pair, enhance: Audible | None
) -> Iterator[tuple[str, str, Audio, int, Mapping[str, Any] | None]]:
    rate: int | None = None
    clean = None
    if pair.clean is not None:
        clean, rate = read(pair.clean)
    if pair.noisy is not None:
        noisy, rate = read(pair.noisy, sample_rate=rate)
        yield NOISY, NOISY, noisy, rate, None
        if enhance is not None:
            for system, estimate in enhance(noisy, rate).items():
                yield system, "estimate", estimate.audio, rate, estimate.record
    for system, path in pair.estimates.items():
        audio, rate = read(path, sample_rate=rate)
        yield system, "estimate", audio, rate, None
    if clean is not None and rate is not None:
        yield CLEAN, CLEAN, clean, rate, None


def _scores(table: ScoreTable, file: int, system: str) -> dict[str, float]:
    if system not in table.systems:
        return {}
    values = table.values[file, table.systems.index(system)]
    return {
        column.name: round(float(value), 4)
        for column, value in zip(table.columns, values, strict=True)
        if np.isfinite(value)
    }


def _flac_knows(rate: int) -> bool:
    """Whether FLAC has this rate: from 65 536 Hz on it has tens of hertz."""
    return rate < 1 << 16 or rate % 10 == 0


def _flac(signal: np.ndarray[Any, Any], rate: int) -> str:
    buffer = io.BytesIO()
    sf.write(buffer, signal, rate, format="FLAC", subtype="PCM_16")
    return base64.b64encode(buffer.getvalue()).decode("ascii")
