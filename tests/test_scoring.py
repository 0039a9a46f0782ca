from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from smle.errors import AudioError
from smle.evaluation.metrics import MetricError, si_sdr_db
from smle.evaluation.pairs import Pair
from smle.evaluation.scoring import PairScores, ScoringRule, SystemEstimate, score_pair
from smle.files.audio import write
from smle.material.mixing import snr_db_of
from tests.speech_like import RATE_HZ, noise_like, speech_like

CLEAN, NOISE = speech_like(1.0), noise_like(1.0)
RULE = ScoringRule(("si-sdr", "si-sdri", "snr"))


def save(path: Path, *channels: np.ndarray, rate: int = RATE_HZ) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, np.stack(channels).astype(np.float32), rate, subtype="FLOAT", overwrite=True)
    return path


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(
        "a",
        {"tool": save(tmp_path / "e.wav", CLEAN + 0.1 * NOISE)},
        save(tmp_path / "c.wav", CLEAN),
        save(tmp_path / "n.wav", CLEAN + NOISE),
        {"speaker": "x"},
    )


def score(pair: Pair, rule: ScoringRule = RULE, **changes: object) -> PairScores:
    return score_pair(Pair(**{**vars(pair), **changes}), rule)  # type: ignore[arg-type]


def test_every_system_is_scored_and_the_input_snr_measured(pair: Pair) -> None:
    scores = score(pair)
    tool, noisy = scores.systems["tool"].values, scores.systems["noisy"].values
    assert tool["si_sdr_db"] == pytest.approx(si_sdr_db(CLEAN + 0.1 * NOISE, CLEAN), abs=1e-4)
    assert tool["si_sdri_db"] == pytest.approx(tool["si_sdr_db"] - noisy["si_sdr_db"])
    assert noisy["si_sdri_db"] == 0
    assert scores.conditions["input_snr_db"] == pytest.approx(snr_db_of(CLEAN, NOISE), abs=0.1)
    assert scores.conditions["speaker"] == "x"
    assert tool["snr_db"] == pytest.approx(noisy["snr_db"] + 20, abs=1e-3)


@pytest.mark.parametrize("gain", [-0.5, 0.1, 20.0])
def test_the_input_snr_does_not_depend_on_the_level_of_the_clean_file(
    pair: Pair, tmp_path: Path, gain: float
) -> None:
    louder = save(tmp_path / "louder.wav", gain * CLEAN)
    expected = score(pair).conditions["input_snr_db"]
    assert score(pair, clean=louder).conditions["input_snr_db"] == pytest.approx(expected, abs=1e-3)


def test_a_broken_estimate_fails_alone(pair: Pair, tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    estimates = {"broken": tmp_path / "broken.wav", **pair.estimates}
    scores = score(pair, estimates=estimates)
    assert set(scores.systems["broken"].failures) == set(RULE.metrics)
    assert not scores.systems["broken"].values
    assert not scores.systems["tool"].failures


@pytest.mark.parametrize("align", [False, True])
def test_an_estimate_of_other_channels_fails_alone(pair: Pair, tmp_path: Path, align: bool) -> None:
    two = {
        "clean": save(tmp_path / "c2.wav", CLEAN, CLEAN),
        "noisy": save(tmp_path / "n2.wav", CLEAN + NOISE, CLEAN + NOISE),
        "estimates": {
            "three": save(tmp_path / "e3.wav", CLEAN, CLEAN, CLEAN),
            "tool": save(tmp_path / "e2.wav", CLEAN + 0.1 * NOISE, CLEAN + 0.1 * NOISE),
        },
    }
    systems = score(pair, ScoringRule(RULE.metrics, align=align), **two).systems
    assert set(systems["three"].failures) == set(RULE.metrics)
    assert "channel counts differ (the estimate 3" in systems["three"].failures["si-sdr"]
    assert not systems["tool"].failures
    assert not systems["noisy"].failures


def test_a_noisy_file_of_other_channels_is_refused_with_the_reason(
    pair: Pair, tmp_path: Path
) -> None:
    clean = save(tmp_path / "c2.wav", CLEAN, CLEAN)
    noisy = save(tmp_path / "n3.wav", CLEAN, CLEAN, CLEAN)
    with pytest.raises(AudioError, match="channel counts differ"):
        score(pair, ScoringRule(RULE.metrics, align=True), clean=clean, noisy=noisy)


def test_a_metric_that_breaks_fails_alone(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> tuple[float]:
        raise ZeroDivisionError("by its package")

    from smle.evaluation.metric_table import METRICS

    monkeypatch.setitem(METRICS, "snr", replace(METRICS["snr"], score=broken))
    tool = score(pair).systems["tool"]
    assert tool.failures == {"snr": "snr: ZeroDivisionError: by its package"}
    assert set(tool.values) == {"si_sdr_db", "si_sdri_db"}


def test_a_silent_estimate_scores_the_worst_and_a_silent_reference_nothing(
    pair: Pair, tmp_path: Path
) -> None:
    mute = save(tmp_path / "mute.wav", np.zeros_like(CLEAN))
    assert score(pair, estimates={"tool": mute}).systems["tool"].values["si_sdr_db"] == -100
    silent = score(pair, clean=mute)
    assert "clean signal is silent" in silent.systems["tool"].failures["si-sdr"]
    assert "input_snr_db" not in silent.conditions


def test_channels_are_averaged(pair: Pair, tmp_path: Path) -> None:
    two = {
        "clean": save(tmp_path / "c2.wav", CLEAN, CLEAN),
        "noisy": None,
        "estimates": {"tool": save(tmp_path / "e2.wav", CLEAN + NOISE, CLEAN + 0.1 * NOISE)},
    }
    rule = ScoringRule(("si-sdr",))
    expected = [si_sdr_db(CLEAN + gain * NOISE, CLEAN) for gain in (1, 0.1)]
    found = score(pair, rule, **two).systems["tool"].values["si_sdr_db"]
    assert found == pytest.approx(np.mean(expected), abs=1e-3)


def test_another_rate_is_brought_to_that_of_the_clean_file(pair: Pair, tmp_path: Path) -> None:
    from smle.evaluation.metrics import resampled

    high = resampled(CLEAN, RATE_HZ, 48000)
    estimates = {"tool": save(tmp_path / "e48.wav", high, rate=48000)}
    assert score(pair, estimates=estimates).systems["tool"].values["si_sdr_db"] > 20


@pytest.mark.parametrize("delay", [80, -80])
def test_a_delay_is_reported_and_removed_if_asked(pair: Pair, tmp_path: Path, delay: int) -> None:
    padded = np.pad(CLEAN + 0.1 * NOISE, 100)
    moved = padded[100 - delay : 100 - delay + CLEAN.size]
    estimates = {"tool": save(tmp_path / "late.wav", moved)}
    kept = score(pair, estimates=estimates).systems["tool"]
    aligned = score(pair, ScoringRule(RULE.metrics, align=True), estimates=estimates)
    assert kept.delay == aligned.systems["tool"].delay == delay
    assert kept.values["si_sdr_db"] < 10
    assert aligned.systems["tool"].values["si_sdr_db"] == pytest.approx(
        score(pair).systems["tool"].values["si_sdr_db"], abs=0.5
    )


def test_the_noisy_file_is_aligned_like_any_estimate(pair: Pair, tmp_path: Path) -> None:
    late = save(tmp_path / "late_noisy.wav", np.pad(CLEAN + NOISE, (60, 0))[: CLEAN.size])
    found = score(pair, ScoringRule(RULE.metrics, align=True), noisy=late)
    true = score(pair)
    assert found.systems["noisy"].values["si_sdri_db"] == 0
    for column in ("si_sdr_db", "si_sdri_db"):
        assert found.systems["tool"].values[column] == pytest.approx(
            true.systems["tool"].values[column], abs=0.5
        )
    assert found.conditions["input_snr_db"] == pytest.approx(
        true.conditions["input_snr_db"], abs=0.5
    )


@pytest.mark.parametrize("late", [60, -60])
def test_who_is_oracle_is_asked_with_signals_in_time(pair: Pair, tmp_path: Path, late: int) -> None:
    moved = np.roll(CLEAN + NOISE, late)
    heard = {}

    def enhance(noisy, rate, pair, clean):
        heard.update(noisy=noisy, clean=clean)
        return {"same": SystemEstimate(noisy)}

    files = Pair("a", {}, pair.clean, save(tmp_path / "late.wav", moved))
    score_pair(files, ScoringRule(RULE.metrics, align=True), enhance)
    middle = slice(100, CLEAN.size - 100)
    assert si_sdr_db(heard["noisy"][0, middle], heard["clean"][0, middle]) == pytest.approx(
        si_sdr_db(np.roll(CLEAN + NOISE, late)[middle], np.roll(CLEAN, late)[middle]), abs=1e-3
    )


def test_lengths_are_cut_within_the_tolerance_only(pair: Pair, tmp_path: Path) -> None:
    short = {"tool": save(tmp_path / "short.wav", (CLEAN + 0.1 * NOISE)[:-400])}
    assert "si_sdr_db" in score(pair, estimates=short).systems["tool"].values
    strict = ScoringRule(RULE.metrics, tolerance_s=0.02)
    failures = score(pair, strict, estimates=short).systems["tool"].failures
    assert "400 samples" in failures["si-sdr"]
    assert "--tolerance" in failures["si-sdr"]


def test_a_missing_reference_is_a_failure_of_the_metric_only(pair: Pair) -> None:
    failures = score(pair, noisy=None).systems["tool"].failures
    assert failures == {"si-sdri": "si-sdri needs the noisy signal"}


def test_an_unusable_clean_file_stops_the_pair(pair: Pair, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"gone\.wav"):
        score(pair, clean=tmp_path / "gone.wav")


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(MetricError, match="no metric 'sir'; choose from si-sdr, "):
        ScoringRule(("si-sdr", "sir"))
