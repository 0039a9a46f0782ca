"""The scores of an evaluation as one table: files by systems by columns, and what went wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smle.evaluation.metric_table import Column, columns_of
from smle.evaluation.pairs import Condition
from smle.evaluation.scoring import Fact, PairScores, SystemScores


@dataclass(frozen=True)
class Failure:
    """Why one system has no score of one metric for one file."""

    name: str
    system: str
    metric: str
    reason: str


@dataclass(frozen=True)
class ScoreTable:
    """All scores, a few kilobytes for each file.

    Args:
        names: Of the pairs, sorted.
        systems: In the order they were given.
        columns: What is scored.
        values: Shape (files, systems, columns), NaN where there is no score.
        seconds: Length of each pair.
        conditions: By name, one value for each file, None where it is unknown.
        delays: Samples by which estimates are late, shape (files, systems).
        facts: For each file, by system, what else is known.
        failures: Every score that could not be had.
    """

    names: tuple[str, ...]
    systems: tuple[str, ...]
    columns: tuple[Column, ...]
    values: NDArray[np.float64]
    seconds: NDArray[np.float64]
    conditions: dict[str, tuple[Condition | None, ...]]
    delays: NDArray[np.int64]
    facts: tuple[dict[str, dict[str, Fact]], ...]
    failures: tuple[Failure, ...]

    def column(self, name: str) -> int:
        """Return the place of a column among `columns`.

        Raises:
            KeyError: If it was not scored.
        """
        for place, column in enumerate(self.columns):
            if column.name == name:
                return place
        raise KeyError(name)


def build_table(
    scores: Iterable[PairScores], metrics: Sequence[str], systems: Sequence[str]
) -> ScoreTable:
    """Put the scores of pairs into one table.

    Args:
        scores: In any order; not kept.
        metrics: Names in METRICS that were computed.
        systems: Names in the order wanted; those that no pair has are left out.

    Returns:
        The table, sorted by the pairs' names.
    """
    columns = columns_of(metrics)
    rows: dict[str, tuple[NDArray[np.float64], float, list[int]]] = {}
    conditions: dict[str, dict[str, Condition]] = {}
    facts: dict[str, dict[str, dict[str, Fact]]] = {}
    failures: list[Failure] = []
    seen: set[str] = set()
    for pair in scores:
        seen.update(pair.systems)
        found = [pair.systems.get(system, SystemScores()) for system in systems]
        values = np.array(
            [[one.values.get(column.name, np.nan) for column in columns] for one in found]
        )
        rows[pair.name] = values, pair.seconds, [one.delay for one in found]
        conditions[pair.name] = dict(pair.conditions)
        facts[pair.name] = {name: dict(s.facts) for name, s in pair.systems.items() if s.facts}
        failures.extend(
            Failure(pair.name, system, metric, reason)
            for system, one in pair.systems.items()
            for metric, reason in one.failures.items()
        )
    names = tuple(sorted(rows))
    known = dict.fromkeys(key for name in names for key in conditions[name])
    kept = [place for place, system in enumerate(systems) if system in seen]
    shape = len(names), len(systems)
    return ScoreTable(
        names=names,
        systems=tuple(systems[place] for place in kept),
        columns=columns,
        values=np.array([rows[name][0] for name in names]).reshape(*shape, len(columns))[:, kept],
        seconds=np.array([rows[name][1] for name in names]),
        conditions={key: tuple(conditions[name].get(key) for name in names) for key in known},
        delays=np.array([rows[name][2] for name in names], np.int64).reshape(shape)[:, kept],
        facts=tuple(facts[name] for name in names),
        failures=tuple(sorted(failures, key=lambda f: (f.name, f.system, f.metric))),
    )
