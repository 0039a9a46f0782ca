from __future__ import annotations

import high_band
import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from smle.evaluation.metrics import MetricError

RATE_HZ = 16000
TIME_S = np.arange(RATE_HZ) / RATE_HZ
RNG = np.random.default_rng(0)
WHITE = 0.05 * RNG.standard_normal(RATE_HZ)


def filtered(signal: np.ndarray, kind: str, cut_hz: float) -> np.ndarray:
    return sosfilt(butter(8, cut_hz, kind, fs=RATE_HZ, output="sos"), signal)


def vowel(pitch_hz: float) -> np.ndarray:
    harmonics = np.arange(1, int(7000 / pitch_hz))
    return 0.05 * sum(np.sin(2 * np.pi * k * pitch_hz * TIME_S + k * k) / k for k in harmonics)


S_SOUND = filtered(WHITE, "high", 4500)
SPEECH = np.concatenate([vowel(120), np.zeros(RATE_HZ), S_SOUND])
KINDS = pytest.mark.parametrize("voiced", [True, False])


@pytest.mark.parametrize("pitch_hz", [85, 120, 210, 390])
def test_a_vowel_is_voiced_an_s_unvoiced_and_a_pause_neither(pitch_hz: float) -> None:
    speech = np.concatenate([vowel(pitch_hz), np.zeros(RATE_HZ), S_SOUND])
    voiced, unvoiced = high_band.voiced_and_unvoiced(speech, RATE_HZ)
    second = np.arange(voiced.size) * high_band.HOP_S
    within = [(second > start + 0.02) & (second < start + 0.95) for start in (0, 1, 2)]
    assert [voiced[part].mean() for part in within] == [1, 0, 0]
    assert [unvoiced[part].mean() for part in within] == [0, 0, 1]


def test_the_rumble_of_a_room_is_neither() -> None:
    rumble = filtered(WHITE, "low", 300)
    voiced, unvoiced = high_band.voiced_and_unvoiced(
        np.concatenate([vowel(120), 0.2 * rumble]), RATE_HZ
    )
    assert not unvoiced.any()
    assert voiced[:60].all()


@KINDS
def test_a_muted_band_errs_by_0_db_and_a_copy_not_at_all(voiced: bool) -> None:
    def error_db(estimate: np.ndarray) -> float:
        return high_band.high_band_error_db(estimate, SPEECH, RATE_HZ, voiced=voiced)

    assert error_db(SPEECH) == -100
    assert error_db(np.zeros_like(SPEECH)) == 0
    assert error_db(0.9 * SPEECH) == pytest.approx(-20)
    assert error_db(-SPEECH) == pytest.approx(20 * np.log10(2))


def test_a_cut_s_harms_the_unvoiced_frames_alone() -> None:
    estimate = SPEECH.copy()
    estimate[2 * RATE_HZ :] = 0
    errors = [
        high_band.high_band_error_db(estimate, SPEECH, RATE_HZ, voiced=voiced)
        for voiced in (True, False)
    ]
    assert errors == [-100, 0]


@KINDS
def test_noise_below_the_band_is_not_its_error(voiced: bool) -> None:
    noise = filtered(filtered(np.tile(WHITE, 3), "low", 1500), "low", 1500)
    errors = [
        high_band.high_band_error_db(SPEECH + part, SPEECH, RATE_HZ, voiced=voiced)
        for part in (noise, np.tile(WHITE, 3))
    ]
    assert errors[0] < errors[1] - 30


@pytest.mark.parametrize(
    ("clean", "rate_hz", "word"),
    [
        (vowel(120), RATE_HZ, "no unvoiced frame"),
        (SPEECH, 8000, "8000 Hz is too low"),
        (SPEECH[:100], RATE_HZ, "100 samples are fewer than a frame"),
        (np.zeros(RATE_HZ), RATE_HZ, "silent"),
    ],
)
def test_what_cannot_be_measured_is_named(clean: np.ndarray, rate_hz: int, word: str) -> None:
    with pytest.raises(MetricError, match=word):
        high_band.high_band_error_db(clean, clean, rate_hz, voiced=False)
