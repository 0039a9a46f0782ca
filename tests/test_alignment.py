from __future__ import annotations

import numpy as np
import pytest

from smle.errors import AudioError
from smle.evaluation.alignment import cut_to_common, delay_samples
from tests.speech_like import noise_like, speech_like

CLEAN = speech_like(1.0)[None].astype(np.float32)
NOISE = noise_like(1.0)[None].astype(np.float32)


def late(signal: np.ndarray, delay: int) -> np.ndarray:
    if delay >= 0:
        return np.pad(signal, ((0, 0), (delay, 0)))[:, : signal.shape[1]]
    return np.pad(signal, ((0, 0), (0, -delay)))[:, -delay:]


@pytest.mark.parametrize("delay", [0, 1, 160, 1024, -1, -700])
@pytest.mark.parametrize("gain", [1.0, -0.01])
def test_a_delay_is_found_in_noise_at_any_gain_and_polarity(delay: int, gain: float) -> None:
    estimate = gain * late(CLEAN + NOISE, delay)
    assert delay_samples(estimate, CLEAN, limit=1600) == delay


def test_a_delay_beyond_the_limit_is_not_claimed() -> None:
    assert abs(delay_samples(late(CLEAN, 1000), CLEAN, limit=200)) <= 200


def test_silence_has_no_delay() -> None:
    assert delay_samples(np.zeros_like(CLEAN), CLEAN, limit=100) == 0
    assert delay_samples(CLEAN, np.zeros_like(CLEAN), limit=100) == 0


def test_channels_are_aligned_together() -> None:
    both = np.concatenate([CLEAN, 0 * CLEAN])
    assert delay_samples(late(both, 50), both, limit=100) == 50


def test_lengths_within_the_tolerance_are_cut() -> None:
    cut = cut_to_common({"estimate": CLEAN, "clean file": CLEAN[:, :-100]}, 16000, 0.01)
    assert {signal.shape for signal in cut.values()} == {(1, 15900)}


def test_lengths_beyond_the_tolerance_are_refused_with_both_names() -> None:
    with pytest.raises(AudioError, match=r"clean file is 161 samples .* than the estimate"):
        cut_to_common({"estimate": CLEAN, "clean file": CLEAN[:, :-161]}, 16000, 0.01)


def test_channel_counts_must_agree() -> None:
    with pytest.raises(AudioError, match="the estimate 1 and the clean file 2"):
        cut_to_common({"estimate": CLEAN, "clean file": np.tile(CLEAN, (2, 1))}, 16000, 0.01)
