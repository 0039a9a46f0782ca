"""Grouping utterances without any label: by the specialist that enhances each of them best."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import optimize, sparse

from smle.clustering.grouping import Grouped, check_ks, count, gender_facts
from smle.clustering.speaker_pairs import with_noise
from smle.clustering.timbre import corpus_timbre
from smle.material.clusters import Clusters, Only
from smle.material.corpus import Corpus
from smle.material.dataset import Batch, MixtureDataset
from smle.material.decoded import Decoded
from smle.material.draw import NoiseDraw
from smle.material.mixing_config import MixingConfig
from smle.model.config import NetworkConfig
from smle.model.recipe import Recipe
from smle.tensors.networks import Network, build_network
from smle.training.spectra import Spectra
from smle.training.stage import Progress, Watch

_LEARNING_RATE = 1e-3
_CLIP_NORM = 1.0
_BATCH_SIZE = 16
_ROWS = 32
_JUDGED_S = 4.0
_SETTLED_SHARE = 0.02
_STAGE = "loss clusters"


@dataclass(frozen=True)
class LossClustering:
    """How long the alternation goes.

    Args:
        network: Of every specialist.
        warm_up_steps: Updates of one network on everything, from which all specialists start.
        rounds: Most rounds of training and assigning.
        steps: Updates of each specialist in a round.
        noises: Mixtures by which an utterance is judged, each with its own noise.
    """

    network: NetworkConfig = field(default_factory=lambda: NetworkConfig(hidden_size=64))
    warm_up_steps: int = 500
    rounds: int = 6
    steps: int = 200
    noises: int = 2


def by_loss(
    corpus: Corpus,
    noise: Corpus,
    ks: Sequence[int],
    *,
    seed: int = 0,
    config: LossClustering | None = None,
    cache_dir: str | Path | None = None,
    jobs: int = -1,
    watch: Watch = lambda _: None,
) -> Grouped:
    """Alternate between training each specialist on its utterances and assigning utterances.

    Every utterance goes to the specialist with the least loss on it, under the condition that no
    cluster holds more than its even share; among all such assignments it is that of the least
    total loss. The first clusters are balanced groups of like timbre. It ends when less than 2 %
    of the utterances move, or after the rounds.

    Args:
        corpus: Speech; no labels are used.
        noise: Noise to train and to judge with.
        ks: Numbers of clusters, one alternation for each.
        seed: Everything random follows from it.
        config: How long.
        cache_dir: Folder for decoded audio.
        jobs: Files at a time, -1 for as many as there are processors.
        watch: Told after every update.

    Returns:
        Groupings whose facts hold the ``rounds``: share of utterances that moved, mean loss
        with each utterance's own specialist, and with the average specialist.

    Raises:
        CorpusError: A K is above the number of utterances.
    """
    config = config or LossClustering()
    check_ks(ks, len(corpus), "utterances")
    speech, noises = (Decoded(part, cache_dir=cache_dir, jobs=jobs) for part in (corpus, noise))
    points = corpus_timbre(speech, jobs=jobs)
    groupings = []
    for k in ks:
        alternation = _Alternation(speech, noises, k, seed, config, watch)
        labels, rounds = alternation.run(_even_groups(points, k, seed))
        groupings.append(_described(corpus, labels, k, rounds))
    return Grouped(groupings, list(corpus.names), points)


def _described(
    corpus: Corpus, labels: NDArray[np.int64], k: int, rounds: list[dict[str, float]]
) -> Clusters:
    names = corpus.names
    assignments = {name: int(label) for name, label in zip(names, labels, strict=True)}
    seconds = dict(zip(names, (u.seconds for u in corpus.utterances), strict=True))
    facts: dict[str, Any] = {**count(assignments, seconds, k), "rounds": rounds}
    genders = {name: u.gender for name, u in zip(names, corpus.utterances, strict=True)}
    if any(genders.values()):
        facts |= gender_facts(assignments, genders, k)
    return Clusters("loss", tuple(f"loss-{i}" for i in range(k)), assignments, facts=facts)


def even_assignment(costs: NDArray[np.floating]) -> NDArray[np.int64]:
    """Assign rows to columns at the least total cost, no column more than its even share.

    This is the transportation problem, whose linear program has whole-number solutions.

    Args:
        costs: Shape (rows, columns).

    Returns:
        The column of each row.

    >>> even_assignment(np.array([[0.0, 1.0], [0.0, 9.0]])).tolist()
    [1, 0]
    """
    rows, columns = costs.shape
    in_column = sparse.kron(np.ones((1, rows)), sparse.eye(columns))
    solution = optimize.linprog(
        costs.ravel(),
        A_eq=sparse.kron(sparse.eye(rows), np.ones((1, columns))),
        b_eq=np.ones(rows),
        A_ub=sparse.vstack([in_column, -in_column]),
        b_ub=np.repeat([-(-rows // columns), -(rows // columns)], columns),
        bounds=(0, 1),
        method="highs-ds",
    )
    labels: NDArray[np.int64] = solution.x.reshape(rows, columns).argmax(axis=1)
    return labels


def _even_groups(points: NDArray[np.float32], k: int, seed: int) -> NDArray[np.int64]:
    from sklearn.cluster import KMeans

    return even_assignment(KMeans(k, n_init=10, random_state=seed).fit_transform(points) ** 2)


class _Alternation:
    def __init__(
        self,
        speech: Decoded,
        noise: Decoded,
        k: int,
        seed: int,
        config: LossClustering,
        watch: Watch,
    ) -> None:
        self.speech, self.noise = speech, noise
        self.k, self.seed, self.config, self.watch = k, seed, config, watch
        self._recipe = Recipe(name="loss", specialists=("loss",), network=config.network)
        self._spectra = Spectra(self._recipe, torch.device("cpu"))
        self._step = 0
        self._steps = config.warm_up_steps + config.rounds * k * config.steps

    def run(self, labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[dict[str, float]]]:
        """Return the last labels and what each round brought."""
        torch.manual_seed(self.seed)
        start = build_network(self._recipe.network, self._recipe.spectral)
        self._train(start, Only(), self.config.warm_up_steps)
        specialists = [copy.deepcopy(start) for _ in range(self.k)]
        rounds = []
        for number in range(self.config.rounds):
            for index, specialist in enumerate(specialists):
                mine = (self.speech.corpus.names[i] for i in np.flatnonzero(labels == index))
                self._train(specialist, Only(utterances=frozenset(mine)), self.config.steps)
            costs = self._costs(specialists, number)
            before, labels = labels, even_assignment(costs)
            moved = float((labels != before).mean())
            rounds.append(
                {
                    "moved": round(moved, 4),
                    "own_loss": round(float(costs[np.arange(len(labels)), labels].mean()), 4),
                    "average_loss": round(float(costs.mean()), 4),
                }
            )
            if moved < _SETTLED_SHARE:
                break
        return labels, rounds

    def _train(self, network: Network, only: Only, steps: int) -> None:
        dataset = MixtureDataset(
            self.speech, self.noise, None, MixingConfig(), self.seed, only=only
        )
        optimiser = torch.optim.Adam(network.parameters(), _LEARNING_RATE)
        for _ in range(steps):
            batch = dataset.batch(self._step, _BATCH_SIZE)
            loss = self._spectra.losses(network, batch).mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), _CLIP_NORM)
            optimiser.step()
            self._step += 1
            self.watch(Progress(_STAGE, self._step, self._steps, loss.item(), None, _LEARNING_RATE))

    @torch.inference_mode()
    def _costs(self, specialists: list[Network], number: int) -> NDArray[np.float64]:
        """Mean loss of every specialist (columns) on the same mixtures of each utterance."""
        costs = np.zeros((len(self.speech), len(specialists)))
        for again in range(self.config.noises):
            for first in range(0, len(self.speech), _ROWS):
                rows = list(range(first, min(first + _ROWS, len(self.speech))))
                batch = self._judged(rows, number, again)
                for column, specialist in enumerate(specialists):
                    costs[rows, column] += self._spectra.losses(specialist, batch).numpy()
        return costs / self.config.noises

    def _judged(self, rows: list[int], number: int, again: int) -> Batch:
        rate = self.speech.sample_rate
        length = round(_JUDGED_S * rate)
        draw = NoiseDraw(self.noise, Only())
        clean, noisy = [], []
        for row in rows:
            rng = np.random.default_rng(np.random.SeedSequence([self.seed, number, again, row]))
            speech = self.speech.excerpt(row, 0, length)
            speech = np.pad(speech, (0, length - len(speech)))
            clean.append(speech)
            noisy.append(with_noise(rng, speech, draw, sample_rate=rate))
        unknown = torch.full((len(rows),), -1)
        return Batch(
            noisy=torch.from_numpy(np.stack(noisy)),
            clean=torch.from_numpy(np.stack(clean)),
            snr_db=torch.full((len(rows),), torch.nan),
            labels=unknown,
            speech=torch.tensor(rows),
        )
