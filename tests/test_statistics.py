from __future__ import annotations

import numpy as np
import pytest

from smle.evaluation.statistics import compare, summarise

NAN = float("nan")


def test_the_interval_of_normal_scores_is_that_of_theory() -> None:
    scores = np.random.default_rng(0).normal(3.0, 2.0, (400, 1))
    [found] = summarise(scores, resamples=4000)
    half = 1.96 * scores.std() / np.sqrt(400)
    assert found.mean == pytest.approx(scores.mean())
    assert found.low == pytest.approx(scores.mean() - half, abs=0.02)
    assert found.high == pytest.approx(scores.mean() + half, abs=0.02)


def test_about_95_of_100_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(1)
    columns = rng.exponential(1.0, (60, 300))
    found = summarise(columns, resamples=500)
    held = np.mean([one.low <= 1.0 <= one.high for one in found])
    assert 0.90 <= held <= 0.97


def test_the_same_seed_gives_the_same_interval_whatever_stands_beside() -> None:
    scores = np.random.default_rng(2).normal(size=(50, 3))
    together = summarise(scores, seed=7)
    assert summarise(scores, seed=7) == together
    assert summarise(scores[:, :1], seed=7)[0].low == pytest.approx(together[0].low, abs=1e-12)
    assert summarise(scores, seed=8) != together


def test_failed_scores_are_left_out() -> None:
    scores = np.array([[1.0, NAN], [2.0, NAN], [NAN, NAN], [6.0, NAN]])
    some, none = summarise(scores)
    assert (some.count, some.mean, some.median) == (3, 3.0, 2.0)
    assert 1 <= some.low < 3 < some.high <= 6
    assert none.count == 0
    assert np.isnan([none.mean, none.low, none.high, none.median, none.std]).all()


def test_equal_files_have_an_interval_of_no_width_and_one_file_has_none() -> None:
    [equal] = summarise([[0.1]] * 7)
    assert (equal.low, equal.high) == (0.1, 0.1)
    [one] = summarise([[4.2], [NAN]])
    assert (one.count, one.mean) == (1, 4.2)
    assert np.isnan([one.low, one.high]).all()
    [difference] = compare([[4.2]], [[1.0]])
    assert not difference.is_clear


def test_pairing_sees_a_difference_that_the_spread_of_files_hides() -> None:
    rng = np.random.default_rng(3)
    b = rng.normal(0, 8, (100, 1))
    a = b + rng.normal(0.4, 0.5, (100, 1))
    [of_a], [of_b] = summarise(a), summarise(b)
    assert of_a.low < of_b.mean < of_a.high
    [difference] = compare(a, b)
    assert difference.is_clear
    assert 0.2 < difference.low < 0.4 < difference.high < 0.6
    assert difference.share_better == pytest.approx((a > b).mean())


def test_swapping_systems_swaps_signs() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(2, 40, 1))
    [forward], [backward] = compare(a, b), compare(b, a)
    assert forward.mean == pytest.approx(-backward.mean)
    assert forward.low == pytest.approx(-backward.high)
    assert forward.share_better == backward.share_worse


def test_less_is_better_where_the_column_says_so() -> None:
    [lower] = compare([[1.0], [1.0], [9.0]], [[2.0], [2.0], [2.0]], higher_is_better=False)
    assert lower.share_better == pytest.approx(2 / 3)


def test_only_files_that_both_have_are_compared() -> None:
    [difference] = compare([[1.0], [NAN], [5.0]], [[0.0], [3.0], [NAN]])
    assert (difference.count, difference.mean) == (1, 1.0)
