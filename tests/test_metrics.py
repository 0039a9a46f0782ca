from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smle.evaluation.metrics import MetricError, lsd_db, sdr_db, si_sdr_db, snr_db
from tests.speech_like import RATE_HZ, cases, noise_like, speech_like

GOLDEN = json.loads((Path(__file__).parent / "golden" / "metrics.json").read_text())["values"]
CLEAN, NOISE = speech_like(1.0), noise_like(1.0)
RATIOS = [si_sdr_db, snr_db, sdr_db]


def orthogonal_to(clean: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Noise without mean and without any trace of the clean signal, of the clean energy."""
    clean = clean - clean.mean()
    noise = noise - noise.mean()
    noise = noise - noise @ clean / (clean @ clean) * clean
    return noise * np.sqrt(clean @ clean / (noise @ noise))


@given(
    st.floats(-40, 40),
    st.floats(-60, 20),
    st.floats(-1, 1),
    st.sampled_from([1.0, -1.0]),
)
def test_si_sdr_is_the_ratio_mixed_in_whatever_gain_polarity_and_offset(
    ratio_db: float, gain_db: float, offset: float, polarity: float
) -> None:
    noise = orthogonal_to(CLEAN, NOISE) * 10 ** (-ratio_db / 20)
    estimate = polarity * 10 ** (gain_db / 20) * (CLEAN + noise) + offset
    assert si_sdr_db(estimate, CLEAN) == pytest.approx(ratio_db, abs=1e-6)


def test_si_sdr_of_a_sine_and_its_cosine_follows_from_the_angle() -> None:
    t = np.arange(1600) / 16000
    clean, other = np.sin(2 * np.pi * 100 * t), np.cos(2 * np.pi * 100 * t)
    for angle in (0.1, 0.5, 1.2):
        estimate = np.cos(angle) * clean + np.sin(angle) * other
        assert si_sdr_db(estimate, clean) == pytest.approx(-20 * np.log10(np.tan(angle)))


def test_the_mean_counts_only_if_it_is_asked_to() -> None:
    estimate = CLEAN + 0.1
    assert si_sdr_db(estimate, CLEAN) == 100
    assert si_sdr_db(estimate, CLEAN, zero_mean=False) < 0


@pytest.mark.parametrize("ratio", RATIOS)
def test_a_copy_is_perfect_and_silence_is_the_worst(ratio) -> None:
    assert ratio(CLEAN, CLEAN) == 100
    assert ratio(np.zeros_like(CLEAN), CLEAN) == (0 if ratio is snr_db else -100)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize(
    ("estimate", "clean", "word"),
    [
        (CLEAN, np.zeros_like(CLEAN), "silent"),
        (np.where(np.arange(CLEAN.size) == 7, np.nan, CLEAN), CLEAN, "NaN"),
        (CLEAN, np.where(np.arange(CLEAN.size) == 7, np.inf, CLEAN), "NaN or infinity"),
        (CLEAN[:-1], CLEAN, "equal length"),
        (np.zeros(0), np.zeros(0), "equal length"),
        (CLEAN[None], CLEAN[None], "one channel"),
    ],
)
def test_signals_that_cannot_be_compared_are_named(ratio, estimate, clean, word) -> None:
    with pytest.raises(MetricError, match=word):
        ratio(estimate, clean)


@pytest.mark.parametrize("level", [0.1, 0.3, 1.0, 1e6])
def test_a_constant_clean_signal_is_silent_whatever_is_left_of_its_mean(level: float) -> None:
    constant = np.full(1000, level)
    for estimate in (constant, np.random.default_rng(0).standard_normal(1000)):
        with pytest.raises(MetricError, match="silent"):
            si_sdr_db(estimate, constant)


def test_sdr_forgives_a_short_filter_and_a_delay_that_si_sdr_does_not() -> None:
    room = np.exp(-np.arange(200) / 30) * np.random.default_rng(0).standard_normal(200)
    reverberant = np.convolve(CLEAN, room)[: CLEAN.size]
    late = np.concatenate([np.zeros(40), CLEAN[:-40]])
    for estimate in (reverberant, late):
        assert sdr_db(estimate, CLEAN) > 25
        assert si_sdr_db(estimate, CLEAN) < 5


def test_snr_sees_a_gain_and_si_sdr_does_not() -> None:
    assert snr_db(0.5 * CLEAN, CLEAN) == pytest.approx(20 * np.log10(2))
    assert si_sdr_db(0.5 * CLEAN, CLEAN) == 100


def test_lsd_of_a_gain_is_the_gain_where_nothing_is_floored() -> None:
    clean = np.random.default_rng(0).standard_normal(16000)
    assert lsd_db(clean, clean, RATE_HZ) == 0
    assert lsd_db(0.5 * clean, clean, RATE_HZ) == pytest.approx(20 * np.log10(2), abs=0.02)
    assert lsd_db(-clean, clean, RATE_HZ) == 0


def test_lsd_needs_a_frame() -> None:
    with pytest.raises(MetricError, match="100 samples are fewer than a frame of 512"):
        lsd_db(CLEAN[:100], CLEAN[:100], RATE_HZ)


@pytest.mark.parametrize("name", GOLDEN)
def test_ratios_agree_with_torchmetrics_and_mir_eval(name: str) -> None:
    estimate, clean = cases()[name]
    golden = GOLDEN[name]
    assert si_sdr_db(estimate, clean) == pytest.approx(golden["torchmetrics si_sdr_db"], abs=1e-4)
    assert snr_db(estimate, clean) == pytest.approx(golden["torchmetrics snr_db"], abs=1e-4)
    assert sdr_db(estimate, clean) == pytest.approx(golden["torchmetrics sdr_db"], abs=1e-3)
    assert sdr_db(estimate, clean) == pytest.approx(golden["mir_eval sdr_db"], abs=1e-3)


def test_torchmetrics_of_today_still_agrees() -> None:
    torch = pytest.importorskip("torch")
    audio = pytest.importorskip("torchmetrics.functional.audio")
    rng = np.random.default_rng(3)
    for seed in range(5):
        clean = speech_like(0.5, seed)
        estimate = clean + rng.uniform(0.1, 3) * noise_like(0.5, seed + 9) + rng.uniform(-0.1, 0.1)
        theirs = audio.scale_invariant_signal_distortion_ratio(
            torch.from_numpy(estimate), torch.from_numpy(clean), zero_mean=True
        )
        assert si_sdr_db(estimate, clean) == pytest.approx(float(theirs), abs=1e-6)
