from __future__ import annotations

import numpy as np
import pytest

from smle.evaluation.distributions import densities, extremes
from smle.evaluation.evaluate import Evaluation
from smle.evaluation.findings import delays, findings, primary_column, subject
from smle.evaluation.score_table import ScoreTable, build_table
from smle.evaluation.scoring import PairScores, SystemScores
from smle.evaluation.summary import summarise_evaluation
from smle.evaluation.systems import System


def table(**scores: list[float]) -> ScoreTable:
    """SI-SDR of systems, and their LSD as its negative."""
    pairs = (
        PairScores(
            f"file{n:03}",
            1.0,
            16000,
            {"speaker": "x"},
            {
                system: SystemScores({"si_sdr_db": values[n], "lsd_db": -values[n]}, delay=n % 3)
                for system, values in scores.items()
            },
        )
        for n in range(len(next(iter(scores.values()))))
    )
    return build_table(pairs, ("si-sdr", "lsd"), tuple(scores))


def summary(kinds: dict[str, str], **scores: list[float]) -> dict:
    systems = [System(name, kinds.get(name, "estimate")) for name in scores]
    return summarise_evaluation(Evaluation(table(**scores), {}), systems)


def test_the_best_system_that_can_be_built_is_compared_with_every_other() -> None:
    kinds = {"noisy": "noisy", "best": "best"}
    ground = [0.0, 5.0, 10.0, 2.0]
    found = summary(
        kinds,
        noisy=ground,
        a=[s + 3 for s in ground],
        b=[s + 1 for s in ground],
        best=[s + 4 for s in ground],
    )
    assert primary_column(found)["name"] == "si_sdr_db"
    assert subject(found) == "a"
    assert findings(found) == [
        "a beats noisy by 3.00 dB SI-SDR [3.00, 3.00], better on 100 % of 4 files.",
        "a beats b by 2.00 dB SI-SDR [2.00, 2.00], better on 100 % of 4 files.",
        "a loses against best by 1.00 dB SI-SDR [1.00, 1.00], better on 0 % of 4 files.",
    ]


def test_a_difference_that_rounds_to_nothing_is_none() -> None:
    ground = [0.0, 5.0, 10.0, 2.0]
    found = summary({}, a=[s + 1e-4 for s in ground], b=ground)
    assert findings(found) == ["a and b cannot be told apart in SI-SDR: +0.00 dB [0.00, 0.00]."]


def test_a_difference_that_may_be_chance_is_none() -> None:
    found = summary({}, a=[1.0, -1.0, 1.0, -1.0], b=[0.0, 0.0, 0.0, 0.0])
    assert findings(found) == ["a and b cannot be told apart in SI-SDR: +0.00 dB [-1.00, 1.00]."]


def test_estimates_that_are_out_of_time_are_named() -> None:
    found = summary({}, a=[1.0, 2.0, 3.0]) | {"settings": {"align": False}}
    assert delays(found) == []
    found["systems"][0]["delay"]["median"] = -32
    assert delays(found) == [
        "a comes 32 samples early (median); not removed, give --align to remove it."
    ]


def test_delays_that_were_removed_are_counted() -> None:
    found = summary({}, a=[1.0, 2.0, 3.0]) | {"settings": {"align": True}}
    assert delays(found) == [
        "a: a delay was removed from 2 of 3 files, 1 samples (median; 0 to 2)."
    ]


def test_a_density_has_the_area_one() -> None:
    scores = np.random.default_rng(0).normal(5, 2, 500).tolist()
    found = densities(table(a=scores))["si_sdr_db"]
    low, high = found["domain"]
    area = np.mean(found["densities"]["a"]) * (high - low)
    assert area == pytest.approx(1, abs=0.03)
    peak = low + np.argmax(found["densities"]["a"]) / 95 * (high - low)
    assert peak == pytest.approx(5, abs=0.8)


def test_one_muted_file_does_not_squeeze_the_axis() -> None:
    scores = [*np.random.default_rng(0).normal(5, 2, 1000).tolist(), -100.0]
    assert densities(table(a=scores))["si_sdr_db"]["domain"][0] > -15


def test_worst_and_best_follow_the_way_the_metric_points() -> None:
    found = extremes(table(a=[float(n) for n in range(30)]))
    assert [row[1] for row in found["si_sdr_db"]["a"]["best"]] == list(range(29, 19, -1))
    assert [row[1] for row in found["si_sdr_db"]["a"]["worst"]] == list(range(10))
    assert found["lsd_db"]["a"]["best"][0][:2] == ["file029", -29]
    assert found["lsd_db"]["a"]["worst"][0][2] == "speaker x"
