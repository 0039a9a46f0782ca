from __future__ import annotations

import numpy as np

from smle.evaluation.condition_groups import group_by


def labels(values: list, *, in_db: bool = False) -> list[tuple[str, int]]:
    return [(group.label, len(group.files)) for group in group_by(values, in_db=in_db)]


def test_a_few_levels_are_groups_in_rising_order() -> None:
    assert labels([10.0, -5.0, 10.0, 0.0]) == [("-5", 1), ("0", 1), ("10", 2)]


def test_measured_levels_go_to_the_nearest_5_db() -> None:
    values = np.concatenate([np.linspace(-6, -4, 20), np.linspace(8, 12, 10)]).tolist()
    assert labels(values, in_db=True) == [("-5", 20), ("10", 10)]


def test_levels_measured_on_a_few_files_are_rounded_too() -> None:
    assert labels([-6.92, -5.03, -1.79, -0.01, 4.6], in_db=True) == [("-5", 2), ("0", 2), ("5", 1)]


def test_numbers_that_are_no_levels_are_not_rounded() -> None:
    years = [float(1990 + n // 2) for n in range(30)]
    assert labels(years) == [(f"{1990 + n}", 2) for n in range(15)]
    assert [count for _, count in labels([float(n * n) for n in range(40)])] == [10] * 4


def test_measured_levels_of_few_files_have_short_labels_that_differ() -> None:
    assert labels([-5.02750069716806, 4.0], in_db=True) == [("-5.03", 1), ("4", 1)]
    assert labels([1.001, 1.002], in_db=True) == [("1.001", 1), ("1.002", 1)]


def test_a_narrow_range_is_cut_into_quarters_of_the_files() -> None:
    groups = group_by(np.linspace(3.0, 7.0, 40).tolist())
    assert [len(group.files) for group in groups] == [10, 10, 10, 10]
    assert groups[0].label.startswith("3 to ")
    assert sorted(np.concatenate([group.files for group in groups])) == list(range(40))


def test_words_go_by_the_alphabet_and_unknown_files_go_nowhere() -> None:
    assert labels(["street", "cafe", None, "street"]) == [("cafe", 1), ("street", 2)]


def test_groups_that_say_nothing_are_not_made() -> None:
    assert labels(["same"] * 5) == []
    assert labels([f"file {n}" for n in range(30)]) == []
    assert labels([f"speaker {n // 2}" for n in range(200)]) == []
    assert labels([None, None]) == []
    assert labels([]) == []
