"""Score many pairs in parallel, with every result logged as soon as it is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from smle.dispatch import dispatch
from smle.errors import CorpusError, SmleError
from smle.evaluation.pairs import Pair
from smle.evaluation.score_table import ScoreTable, build_table
from smle.evaluation.scoring import INPUT_SNR, Enhance, PairScores, ScoringRule, score_pair

if TYPE_CHECKING:
    from smle.evaluation.score_log import ScoreLog

_MOST_AT_ONCE = 8
# Every process should come back for more at least this often, so that none is left waiting long.
_TURNS = 8
_LOST = "the process that scored it died (out of memory?); run again with --resume and fewer --jobs"


@dataclass(frozen=True)
class Evaluation:
    """What came of an evaluation.

    Args:
        table: The scores.
        unusable: Pairs of which nothing could be scored, with the reason, by name.
    """

    table: ScoreTable
    unusable: dict[str, str]


def evaluate(
    pairs: Sequence[Pair],
    rule: ScoringRule,
    systems: Sequence[str],
    *,
    enhance: Enhance | None = None,
    jobs: int = 1,
    log: ScoreLog | None = None,
    on_pair: Callable[[], None] | None = None,
) -> Evaluation:
    """Score all systems on all pairs.

    Memory holds the files in work and a few kilobytes for each pair done.

    Args:
        pairs: What to score.
        rule: How.
        systems: Names in the order wanted for the table.
        enhance: Systems that run here; it must pickle if there are several jobs.
        jobs: Processes.
        log: Where scores are kept at once, and looked up instead of computed again.
        on_pair: Called after each pair.

    Returns:
        The scores, in the same order however many jobs computed them.

    Raises:
        CorpusError: If not a single pair can be scored.
        DispatchError: If there is no process to score them.
    """
    unusable: dict[str, str] = {}

    def scores() -> Iterator[PairScores]:
        waiting = []
        for pair in pairs:
            logged = log.scores_of(pair) if log is not None else None
            if logged is not None:
                # What is known of a pair may have been told anew.
                measured = {k: v for k, v in logged.conditions.items() if k == INPUT_SNR}
                told = {**measured, **pair.conditions}
                if enhance is not None and told != logged.conditions:
                    logged = None  # who is the oracle may have changed with it
            if logged is None:
                waiting.append(pair)
                continue
            if on_pair is not None:
                on_pair()
            yield replace(logged, conditions=told)
        for pair, found in _computed(waiting, rule, enhance, jobs):
            if on_pair is not None:
                on_pair()
            if isinstance(found, str):
                unusable[pair.name] = found
                continue
            if log is not None:
                log.append(pair, found)
            yield found

    table = build_table(scores(), rule.metrics, systems)
    if not table.names:
        name, reason = next(iter(unusable.items()), ("", "there are no pairs"))
        raise CorpusError(f"none of {len(pairs)} pairs can be scored; the first, {name}: {reason}")
    return Evaluation(table, dict(sorted(unusable.items())))


def _computed(
    pairs: Sequence[Pair], rule: ScoringRule, enhance: Enhance | None, jobs: int
) -> Iterator[tuple[Pair, PairScores | str]]:
    # Handing out takes as long as scoring a short pair by SI-SDR, so several go at once.
    size = 1 if jobs <= 1 else max(1, min(_MOST_AT_ONCE, len(pairs) // (_TURNS * jobs)))
    tasks = [tuple(pairs[first : first + size]) for first in range(0, len(pairs), size)]
    for found in dispatch(
        tasks,
        partial(_score_all, rule, enhance),
        split=lambda task: [(pair,) for pair in task],
        lost=_lost,
        jobs=min(jobs, max(1, len(tasks))),
    ):
        yield from found


def _score_all(
    rule: ScoringRule, enhance: Enhance | None, pairs: tuple[Pair, ...]
) -> list[tuple[Pair, PairScores | str]]:
    return [_score(pair, rule, enhance) for pair in pairs]


def _lost(pairs: tuple[Pair, ...], error: Exception) -> list[tuple[Pair, PairScores | str]]:
    return [(pair, _LOST) for pair in pairs]


def _score(pair: Pair, rule: ScoringRule, enhance: Enhance | None) -> tuple[Pair, PairScores | str]:
    try:
        return pair, score_pair(pair, rule, enhance)
    except SmleError as error:
        return pair, str(error)
    # Whatever one file does to a network or a decoder, the other files are still worth scoring.
    except Exception as error:
        return pair, f"{type(error).__name__}: {error}"
