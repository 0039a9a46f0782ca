"""K-means over points with names, and how far the result can be trusted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smle.errors import CorpusError
from smle.material.clusters import By, Clusters

_RESTARTS = 20
_STABILITY_SEEDS = 10
_STABILITY_SHARE = 0.8


@dataclass(frozen=True)
class Grouped:
    """What was found.

    Args:
        groupings: One for each K.
        names: Name of each point that was grouped; none for gender and signal-to-noise ratio.
        points: Shape (points, size).
        notes: What the user should know, a line each.
    """

    groupings: list[Clusters]
    names: list[str] = field(default_factory=list)
    points: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    notes: tuple[str, ...] = ()


def check_ks(ks: Sequence[int], available: int, what: str) -> None:
    """Raise CorpusError where a number of clusters is below 2 or above what is there."""
    for k in ks:
        if not 2 <= k <= available:
            raise CorpusError(f"K is {k}, but there are {available} {what}: use 2 to {available}")


def group(
    by: By,
    names: list[str],
    points: NDArray[np.float32],
    seconds: Mapping[str, float],
    k: int,
    *,
    seed: int,
    genders: Mapping[str, str | None] | None = None,
) -> Clusters:
    """Group points by scikit-learn's k-means.

    The facts of the result are ``sizes``, ``hours``, ``silhouette`` (-1 to 1; from about 0.25 on
    clusters are apart), ``stability`` (mean adjusted Rand index with ten other seeds, each fitted
    to four fifths of the points; 1 is the same grouping every time), ``centroids``, and where
    genders are known ``genders`` in each cluster and ``gender_purity``.

    Args:
        by: What the names are.
        names: Name of each point.
        points: Shape (points, size).
        seconds: Length of the material of each name.
        k: Number of clusters.
        seed: Of k-means.
        genders: Gender of names, where known.

    Raises:
        CorpusError: There are fewer points, or fewer different ones, than clusters.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    check_ks([k], len(names), "to group")
    # To four digits: what differs by rounding does not differ.
    size = float(np.abs(points).max()) or 1.0
    different = len(np.unique((points / size).round(4), axis=0))
    if different < k:
        raise CorpusError(
            f"K is {k}, but only {different} of {len(names)} differ at all: use a smaller K, or "
            "material that differs"
        )
    means = KMeans(k, n_init=_RESTARTS, random_state=seed).fit(points)
    order = np.argsort(-np.bincount(means.labels_, minlength=k), kind="stable")
    labels = np.argsort(order)[means.labels_]
    assignments = {name: int(label) for name, label in zip(names, labels, strict=True)}
    facts: dict[str, Any] = {
        **count(assignments, seconds, k),
        "silhouette": (
            round(float(silhouette_score(points, labels)), 3) if k < len(names) else None
        ),
        "stability": _stability(points, labels, k, seed),
        "centroids": means.cluster_centers_[order].round(5).tolist(),
    }
    if genders is not None and any(genders.get(name) for name in names):
        facts |= gender_facts(assignments, genders, k)
    return Clusters(by, tuple(f"{by}-{index}" for index in range(k)), assignments, facts=facts)


def count(assignments: Mapping[str, int], seconds: Mapping[str, float], k: int) -> dict[str, Any]:
    """Return ``sizes`` and ``hours`` of clusters."""
    sizes, total_s = [0] * k, [0.0] * k
    for name, label in assignments.items():
        sizes[label] += 1
        total_s[label] += seconds[name]
    return {"sizes": sizes, "hours": [round(s / 3600, 3) for s in total_s]}


def gender_facts(
    assignments: Mapping[str, int], genders: Mapping[str, str | None], k: int
) -> dict[str, Any]:
    """Return the ``genders`` in each cluster, and ``gender_purity``.

    Purity is the share of labelled names whose gender is the commonest of their cluster.

    >>> gender_facts({"anna": 0, "bert": 1, "carl": 1}, {"anna": "F", "bert": "M"}, 2)
    {'genders': [{'F': 1}, {'M': 1}], 'gender_purity': 1.0}
    """
    tables: list[Counter[str]] = [Counter() for _ in range(k)]
    for name, label in assignments.items():
        gender = genders.get(name)
        if gender:
            tables[label][gender] += 1
    labelled = sum(table.total() for table in tables)
    right = sum(max(table.values(), default=0) for table in tables)
    return {
        "genders": [dict(sorted(table.items())) for table in tables],
        "gender_purity": round(right / labelled, 3) if labelled else None,
    }


def _stability(
    points: NDArray[np.float32], labels: NDArray[np.int64], k: int, seed: int
) -> float | None:
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score

    part = round(_STABILITY_SHARE * len(points))
    if part < k:
        return None
    scores = []
    for other in range(seed + 1, seed + 1 + _STABILITY_SEEDS):
        drawn = np.random.default_rng(other).permutation(len(points))[:part]
        means = KMeans(k, n_init=_RESTARTS // 4, random_state=other).fit(points[drawn])
        scores.append(adjusted_rand_score(labels, means.predict(points)))
    return round(float(np.mean(scores)), 3)
