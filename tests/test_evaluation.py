from __future__ import annotations

import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import smle.evaluation.evaluate
from smle.errors import CorpusError
from smle.evaluation.evaluate import Evaluation, evaluate
from smle.evaluation.pair_lists import read_conditions
from smle.evaluation.pairs import Matched, Pair, match_pairs, with_conditions
from smle.evaluation.report import scores_csv
from smle.evaluation.run import EvaluationPlan, run_evaluation
from smle.evaluation.score_log import ScoreLog
from smle.evaluation.scoring import Audio, ScoringRule, SystemEstimate
from smle.evaluation.summary import summarise_evaluation
from smle.evaluation.systems import file_systems
from tests.scored_folders import NAMES, make_folders

RULE = ScoringRule(("si-sdr", "si-sdri"))
SYSTEMS = ("noisy", "good", "poor")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folders(tmp_path_factory.mktemp("folders"))


@pytest.fixture(scope="module")
def pairs(folders: Path) -> tuple[Pair, ...]:
    systems = {"good": folders / "good", "poor": folders / "poor"}
    matched = match_pairs(systems, folders / "clean", folders / "noisy")
    return with_conditions(matched.pairs, read_conditions(folders / "conditions.csv"))


def die_of(noisy: Audio, rate: int, pair: Pair, clean: Audio | None) -> dict[str, SystemEstimate]:
    if "fatal" in pair.conditions:
        os._exit(1)
    return {}


@pytest.fixture
def evaluation(pairs: tuple[Pair, ...]) -> Evaluation:
    return evaluate(pairs, RULE, SYSTEMS)


def test_the_table_holds_every_score_in_the_order_of_names(evaluation: Evaluation) -> None:
    table = evaluation.table
    assert table.names == tuple(sorted(NAMES))
    assert table.systems == SYSTEMS
    assert table.values.shape == (6, 3, 2)
    improvement = table.values[:, 1, table.column("si_sdri_db")]
    np.testing.assert_allclose(improvement, 20 * np.log10(5), atol=0.3)


def test_two_processes_find_what_one_finds(pairs: tuple[Pair, ...], evaluation: Evaluation) -> None:
    parallel = evaluate(pairs, RULE, SYSTEMS, jobs=2)
    np.testing.assert_array_equal(parallel.table.values, evaluation.table.values)
    assert parallel.table.conditions == evaluation.table.conditions


def test_a_pair_whose_process_dies_is_named_and_the_rest_scored(pairs: tuple[Pair, ...]) -> None:
    fatal = replace(pairs[2], conditions={"fatal": "yes"})
    found = evaluate((*pairs[:2], fatal, *pairs[3:]), RULE, SYSTEMS, enhance=die_of, jobs=2)
    assert list(found.unusable) == [fatal.name]
    assert "died" in found.unusable[fatal.name]
    assert len(found.table.names) == 5


def test_a_pair_that_cannot_be_used_is_named_and_the_rest_scored(
    pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    (tmp_path / "broken.wav").write_bytes(b"no audio")
    some = (replace(pairs[0], clean=tmp_path / "broken.wav"), *pairs[1:])
    found = evaluate(some, RULE, SYSTEMS)
    assert list(found.unusable) == [pairs[0].name]
    assert len(found.table.names) == 5
    with pytest.raises(CorpusError, match="none of 1 pairs can be scored; the first, file0"):
        evaluate(some[:1], RULE, SYSTEMS)


def test_an_unforeseen_error_of_one_pair_leaves_the_rest(
    pairs: tuple[Pair, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = smle.evaluation.evaluate.score_pair

    def fragile(pair: Pair, *rest: object) -> object:
        if pair.name == "file2":
            raise RuntimeError("out of memory")
        return whole(pair, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(smle.evaluation.evaluate, "score_pair", fragile)
    found = evaluate(pairs, RULE, SYSTEMS)
    assert found.unusable == {"file2": "RuntimeError: out of memory"}


def interrupted(pairs: tuple[Pair, ...], path: Path, after: int) -> None:
    """Score some pairs into a log, then be interrupted."""
    done = 0

    def stop() -> None:
        nonlocal done
        done += 1
        if done > after:
            raise KeyboardInterrupt

    with ScoreLog(path, {"rule": 1}) as log, pytest.raises(KeyboardInterrupt):
        evaluate(pairs, RULE, SYSTEMS, log=log, on_pair=stop)


def count_scored(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    whole, scored = smle.evaluation.evaluate.score_pair, []

    def counting(pair: Pair, *rest: object) -> object:
        scored.append(pair.name)
        return whole(pair, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(smle.evaluation.evaluate, "score_pair", counting)
    return scored


def test_an_interrupted_run_goes_on_where_it_was(
    pairs: tuple[Pair, ...],
    evaluation: Evaluation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "scores.jsonl"
    interrupted(pairs, path, after=3)
    with path.open("a") as file:
        file.write('{"files": [[1, 2')
    scored = count_scored(monkeypatch)
    with ScoreLog(path, {"rule": 1}, resume=True) as log:
        resumed = evaluate(pairs, RULE, SYSTEMS, log=log)
    assert len(scored) == 3
    np.testing.assert_array_equal(resumed.table.values, evaluation.table.values)
    assert len(path.read_text().splitlines()) == 7
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_a_file_that_changed_is_scored_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folders(tmp_path, 0.3)
    pairs = match_pairs({"good": root / "good"}, root / "clean").pairs
    rule, path = ScoringRule(("si-sdr",)), tmp_path / "scores.jsonl"
    with ScoreLog(path, {}) as log:
        evaluate(pairs, rule, ("good",), log=log)
    (root / "good" / "file0.wav").write_bytes((root / "poor" / "file0.wav").read_bytes())
    scored = count_scored(monkeypatch)
    with ScoreLog(path, {}, resume=True) as log:
        evaluate(pairs, rule, ("good",), log=log)
    assert scored == ["file0"]


def test_a_log_is_neither_overwritten_nor_mixed_up(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    ScoreLog(path, {"align": False})
    with pytest.raises(CorpusError, match="--resume to go on"):
        ScoreLog(path, {"align": False})
    with pytest.raises(CorpusError, match="align = False, not True"):
        ScoreLog(path, {"align": True}, resume=True)
    ScoreLog(path, {"align": True}, force=True)
    path.write_text("something else\n")
    with pytest.raises(CorpusError, match="no log of this kind"):
        ScoreLog(path, {}, resume=True)


def test_files_of_others_are_not_replaced(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    plan = EvaluationPlan(Matched(pairs[:2], ()), RULE, examples=0)
    (tmp_path / "scores.csv").write_text("mine")
    with pytest.raises(CorpusError, match=r"scores\.csv exists and is of no evaluation"):
        run_evaluation(plan, report=tmp_path, resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]
    run_evaluation(plan, report=tmp_path, force=True)
    assert (tmp_path / "scores.csv").read_text().startswith("name,system")


def test_no_two_columns_have_one_name(pairs: tuple[Pair, ...]) -> None:
    known = {"snr_db": 5.0, "seconds": 3.0, "speaker": "x"}
    pair = replace(pairs[0], conditions=known)
    found = evaluate([pair], ScoringRule(("snr",)), SYSTEMS)
    header, row, *_ = csv.reader(scores_csv(found.table).splitlines())
    assert len(set(header)) == len(header)
    facts = dict(zip(header, row, strict=True))
    assert (facts["condition_snr_db"], facts["condition_seconds"]) == ("5", "3")
    assert facts["speaker"] == "x"
    assert float(facts["snr_db"]) != 5


def test_the_summary_compares_systems_and_groups_conditions(
    pairs: tuple[Pair, ...], evaluation: Evaluation
) -> None:
    summary = summarise_evaluation(evaluation, file_systems(pairs[0]))
    assert summary["schema"] == "smle.evaluation/1"
    assert [system["kind"] for system in summary["systems"]] == ["noisy", "estimate", "estimate"]
    against = {(c["a"], c["b"]): c["differences"] for c in summary["comparisons"]}
    assert against["poor", "good"]["si_sdr_db"]["mean"] < 0
    assert against["poor", "good"]["si_sdr_db"]["share_worse"] == 1
    groups = summary["conditions"]["snr_db"]
    assert [(group["label"], group["count"]) for group in groups] == [("-5", 2), ("0", 2), ("5", 2)]
    assert set(summary["conditions"]) >= {"snr_db", "speaker", "input_snr_db"}
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert summarise_evaluation(evaluation, file_systems(pairs[0])) == summary


def test_a_report_is_whole_and_counts_what_failed(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"no audio")
    broken = replace(pairs[0], estimates={**pairs[0].estimates, "poor": tmp_path / "broken.wav"})
    plan = EvaluationPlan(Matched((broken, *pairs[1:]), (Path("left.wav"),)), RULE, examples=3)
    summary = run_evaluation(plan, report=tmp_path / "report")
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert names == {"scores.jsonl", "scores.csv", "summary.json", "summary.md", "report.html"}
    assert json.loads((tmp_path / "report" / "summary.json").read_text()) == summary
    assert [(f["system"], f["metric"], f["count"]) for f in summary["failures"]] == [
        ("poor", "si-sdr", 1),
        ("poor", "si-sdri", 1),
    ]
    lines = (tmp_path / "report" / "scores.csv").read_text().splitlines()
    assert len(lines) == 1 + 6 * 3
    assert sum("broken.wav" in line for line in lines) == 1
    markdown = (tmp_path / "report" / "summary.md").read_text()
    assert "left.wav: no partner" in markdown
    assert "good beats noisy by" in markdown


def test_conditions_are_told_by_the_column_that_comes_first_on_the_page(
    pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    plan = EvaluationPlan(Matched(pairs, ()), replace(RULE, metrics=("snr", "si-sdri")))
    run_evaluation(plan, report=tmp_path / "report")
    markdown = (tmp_path / "report" / "summary.md").read_text()
    assert "## SI-SDRi (dB) by snr_db" in markdown
    assert "## SNR" not in markdown


def test_a_condition_of_several_lines_stays_one_row(
    pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    told = [replace(p, conditions={"room": f"hall|{n % 2}\nwest"}) for n, p in enumerate(pairs)]
    run_evaluation(EvaluationPlan(Matched(tuple(told), ()), RULE), report=tmp_path / "report")
    markdown = (tmp_path / "report" / "summary.md").read_text()
    table = markdown.partition("by room\n\n")[2].split("\n\n")[0].splitlines()
    assert len(table) == 4
    assert table[2].startswith("| hall\\|0 west | 3 |")
