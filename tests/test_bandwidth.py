"""Above what the model hears: noise goes, speech stays, and blocks do not matter."""

from __future__ import annotations

import numpy as np
import pytest

from smle.enhancement.bandwidth import HighBands

HEARD, BINS, HZ_PER_BIN, HOP_S = 257, 769, 31.25, 0.016


def high_bands(rows: int = 1) -> HighBands:
    return HighBands(BINS, HZ_PER_BIN, 8_000, HOP_S, rows)


def bins(low_hz: float, high_hz: float) -> slice:
    return slice(round(low_hz / HZ_PER_BIN), round(high_hz / HZ_PER_BIN))


def hiss(frames: int, rows: int = 1) -> np.ndarray:
    rng = np.random.default_rng(5)
    shape = (rows, frames, BINS)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def kept_db(mask: np.ndarray, noisy: np.ndarray, frames: slice, band: slice) -> float:
    part = noisy[:, frames, band]
    kept = (np.abs(mask[:, frames, band] * part) ** 2).sum() / (np.abs(part) ** 2).sum()
    return float(10 * np.log10(max(kept, 1e-12)))


@pytest.fixture(scope="module")
def consonant() -> tuple[np.ndarray, np.ndarray, slice]:
    """Hiss with an "s" of a fifth of a second up to 12 kHz, 20 dB above it, and a model's mask."""
    noisy, mask = hiss(200), np.full((1, 200, HEARD), 0.05, np.float32)
    spoken = slice(160, 172)
    noisy[:, spoken, bins(4_000, 12_000)] *= 10
    mask[:, spoken] = 1.0
    return noisy, mask, spoken


def test_a_consonant_passes_and_hiss_above_it_does_not_come_back(consonant):
    noisy, mask, spoken = consonant
    fitted = high_bands()(mask, noisy)
    assert kept_db(fitted, noisy, spoken, bins(8_000, 11_500)) > -0.2
    assert kept_db(fitted, noisy, spoken, bins(12_500, 24_000)) < -12


def test_noise_is_known_within_a_third_of_a_second(consonant):
    """Whatever the first window holds of it, which begins before the signal."""
    noisy, mask, _ = consonant
    noisy, mask = noisy.copy(), mask.copy()
    noisy[:, 0] *= 0.3
    mask[:, 20:31] = 1.0
    fitted = high_bands()(mask, noisy)
    assert kept_db(fitted, noisy, slice(20, 150), bins(8_000, 24_000)) < -20


def test_noise_that_grew_louder_does_not_come_back_after_two_seconds():
    noisy, mask = hiss(400), np.full((1, 400, HEARD), 0.05, np.float32)
    noisy[:, :100] *= 0.1
    spoken = slice(300, 312)
    mask[:, spoken] = 1.0
    fitted = high_bands()(mask, noisy)
    assert kept_db(fitted, noisy, spoken, bins(8_000, 24_000)) < -10


def test_noise_that_ended_takes_nothing_away(consonant):
    noisy, mask, spoken = consonant
    silent = noisy.copy()
    silent[:, 100:160] *= 1e-3
    fitted = high_bands()(mask, silent)
    assert kept_db(fitted, silent, spoken, bins(12_500, 24_000)) > -0.2


def test_where_the_model_hears_speech_alone_only_the_gain_below_counts():
    """From the first frame on, and however long a sound lasts."""
    steady = np.ones((1, 400, BINS), np.complex64)
    for gain in (1.0, 0.8):
        fitted = high_bands()(np.full((1, 400, HEARD), gain, np.float32), steady)
        np.testing.assert_allclose(fitted, gain, atol=1e-6)


def test_a_few_doubtful_frames_are_no_noise():
    """Taken for it, an "s" would mute the next ones."""
    steady, mask = np.ones((1, 300, BINS), np.complex64), np.ones((1, 300, HEARD), np.float32)
    mask[:, [50, 51, 120, 200, 201]] = 0.4
    fitted = high_bands()(mask, steady)
    np.testing.assert_allclose(fitted, np.repeat(mask[..., :1], BINS, -1), atol=1e-6)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("level", [1e-18, 1e6])
def test_loud_noise_before_digital_silence_is_no_trouble(level):
    noisy = level * hiss(200)
    noisy[:, 100:] = 0
    fitted = high_bands()(np.full((1, 200, HEARD), 0.05, np.float32), noisy)
    assert np.isfinite(fitted).all()


def test_no_gain_is_above_that_of_the_bins_below():
    rng = np.random.default_rng(6)
    noisy, mask = hiss(300, rows=2), rng.random((2, 300, HEARD)).astype(np.float32)
    fitted = high_bands(2)(mask, noisy)
    guide = bins(6_000, 7_600)
    power = np.abs(noisy[..., guide]) ** 2
    gain = np.sqrt((mask[..., guide] ** 2 * power).sum(-1) / power.sum(-1))
    assert (fitted[..., guide.stop :] <= gain[..., None] * (1 + 1e-5)).all()
    np.testing.assert_array_equal(fitted[..., : guide.stop], mask[..., : guide.stop])


@pytest.mark.parametrize("size", [1, 7, 250])
def test_frames_may_come_in_blocks(consonant, size):
    noisy, mask, _ = consonant
    whole, parts = high_bands(), high_bands()
    starts = range(0, noisy.shape[1], size)
    blocks = [parts(mask[:, n : n + size], noisy[:, n : n + size]) for n in starts]
    # Near 0 a root magnifies what rounding does.
    np.testing.assert_allclose(np.concatenate(blocks, 1), whole(mask, noisy), atol=1e-3)


@pytest.mark.parametrize("wanted", [129, 257])
def test_a_low_rate_has_the_mask_of_the_bins_that_it_has(wanted):
    mask = np.random.default_rng(7).random((1, 5, HEARD)).astype(np.float32)
    fitted = HighBands(wanted, HZ_PER_BIN, 8_000, HOP_S, 1)(mask, hiss(5)[..., :wanted])
    np.testing.assert_array_equal(fitted, mask[..., :wanted])


@pytest.mark.parametrize("wanted", [258, 260, 290, 24_577])
def test_any_number_of_bins_above_is_filled(wanted):
    mask = np.full((1, 3, HEARD), 0.7, np.float32)
    fitted = HighBands(wanted, HZ_PER_BIN, 8_000, HOP_S, 1)(
        mask, np.ones((1, 3, wanted), np.complex64)
    )
    np.testing.assert_allclose(fitted, np.full((1, 3, wanted), 0.7), atol=1e-6)
