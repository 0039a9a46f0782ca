"""Scores the runs of benchmarks/papers.py on pairs, every file's scores kept beside the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from papers_training import Run

import smle
from smle.evaluation.evaluate import evaluate
from smle.evaluation.model_systems import ModelSystems
from smle.evaluation.pairs import Pair
from smle.evaluation.score_log import ScoreLog
from smle.evaluation.score_table import ScoreTable
from smle.evaluation.scoring import Audio, ScoringRule, SystemEstimate
from smle.model.complexity import Complexity, complexity

RULE = ScoringRule(("si-sdri",))
ROUTES = ("generalist", "routed", "segment", "dense", "oracle", "best")
_COLUMN = "si_sdri_db"


class Routes:
    """Runs one model in every way there is.

    `routed` decides once for a file, as in the papers, and `segment` every second while it listens,
    which is what ships; both run one specialist at a time.

    Args:
        run: Trained.
    """

    def __init__(self, run: Run) -> None:
        self._model = str(run.model)
        self._enhancer = smle.load(self._model)
        self._run = run
        self._systems = ModelSystems((self._model,), route="file")

    def __call__(
        self, noisy: Audio, rate: int, pair: Pair, clean: Audio | None
    ) -> dict[str, SystemEstimate]:
        """Enhance a noisy signal (see `smle.evaluation.scoring.Enhance`)."""
        if self._run.group is None:
            estimate = self._enhancer(noisy, rate, route="generalist")
            return {"generalist": SystemEstimate(estimate)}
        segment = {"segment": SystemEstimate(self._enhancer(noisy, rate))}
        if self._run.training == "guarded":
            return segment
        return {**self._systems(noisy, rate, pair, clean), **segment}


@dataclass(frozen=True)
class Scored:
    """The scores of one run.

    Args:
        run: Which.
        table: Of all pairs and all ways to run it.
        cost: Parameters and MMAC/s.
    """

    run: Run
    table: ScoreTable
    cost: Complexity

    @cached_property
    def improvements_db(self) -> dict[str, NDArray[np.float64]]:
        """SI-SDRi of every pair, by route; routes that need a label exist where it is known."""
        column = self.table.column(_COLUMN)
        found = {
            route: self.table.values[:, index, column]
            for index, route in enumerate(self.table.systems)
        }
        return {route: found[route] for route in ROUTES if route in found}

    @cached_property
    def gate_accuracy(self) -> float | None:
        """Share of pairs whose true cluster the gate names; None where that is not known."""
        return self._share_of_choices("routed", "truth")

    @cached_property
    def best_chosen(self) -> float | None:
        """Share of pairs for which the gate chooses the specialist of the highest SI-SDR."""
        return self._share_of_choices("best", "expert")

    def _share_of_choices(self, system: str, fact: str) -> float | None:
        right = [
            facts["routed"]["choice"] == facts[system][fact]
            for facts in self.table.facts
            if fact in facts.get(system, {}) and "choice" in facts.get("routed", {})
        ]
        return float(np.mean(right)) if right else None


def score_run(run: Run, pairs: Sequence[Pair], on_pair: Callable[[], None]) -> Scored:
    """Score a trained run; pairs that were scored before are not scored again.

    Args:
        run: Trained.
        pairs: With the conditions gender and snr_db.
        on_pair: Called after each pair.
    """
    settings = {"rule": asdict(RULE), "models": ModelSystems((str(run.model),)).digests()}
    with ScoreLog(run.folder / "scores.jsonl", settings, resume=True) as log:
        routes = Routes(run)
        evaluation = evaluate(pairs, RULE, ROUTES, enhance=routes, log=log, on_pair=on_pair)
    return Scored(run, evaluation.table, complexity(smle.load(str(run.model)).recipe))
