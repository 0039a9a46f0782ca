"""What the bundled models do to sound: floors under their scores, made up and real."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import soxr
from scipy.signal import fftconvolve, firwin

import smle
from smle.evaluation.metrics import si_sdr_db
from smle.material.mixing import mix_at_snr
from tests.speech_like import noise_like, speech_like

MODELS = ("base", "tiny")
# SI-SDR improvement in dB over 32 of the development pairs; the cards hold those over all 128.
FLOORS_DB = {"base": 9.0, "tiny": 7.5}


@pytest.fixture(scope="module", params=MODELS)
def enhancer(request: pytest.FixtureRequest) -> smle.Enhancer:
    return smle.load(request.param)


def mixed(snr_db: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    clean = speech_like(seed=seed).astype(np.float32)
    noise = mix_at_snr(clean, noise_like(seed=seed + 100).astype(np.float32), snr_db)
    return clean + noise, clean


@pytest.mark.parametrize("snr_db", [0.0, 5.0])
def test_noise_goes_and_something_like_speech_stays(enhancer, snr_db):
    gains = []
    for seed in range(3):
        noisy, clean = mixed(snr_db, seed)
        estimate = enhancer(noisy, 16_000)
        gains.append(si_sdr_db(estimate, clean) - si_sdr_db(noisy, clean))
    assert np.mean(gains) > 3.0


def test_steady_noise_alone_is_quietened(enhancer):
    rng = np.random.default_rng(0)
    for rate in (8_000, 16_000, 44_100, 48_000):
        noise = 0.05 * rng.standard_normal(4 * rate).astype(np.float32)
        left = enhancer(noise, rate)[2 * rate :]
        assert 20 * np.log10(left.std() / noise.std()) < -15


def test_noise_that_was_heard_first_is_quiet_from_the_start(enhancer):
    rate = 16_000
    noise = 0.05 * np.random.default_rng(2).standard_normal(5 * rate).astype(np.float32)
    start = slice(0, rate // 4)
    live, heard = (enhancer(noise, rate, hear_first=first)[start] for first in (False, True))
    assert 20 * np.log10(heard.std() / live.std()) < -6


def test_a_quiet_start_stays_though_louder_speech_was_heard_first(enhancer):
    clean = speech_like(seed=3).astype(np.float32)
    clean[:16_000] *= 0.1
    live, heard = (enhancer(clean, 16_000, hear_first=first)[:16_000] for first in (False, True))
    assert 20 * np.log10(heard.std() / live.std()) > -1


def test_noise_above_8_khz_goes_with_the_noise_below(enhancer):
    rate = 48_000
    noise = 0.05 * np.random.default_rng(1).standard_normal(4 * rate).astype(np.float32)
    left = enhancer(noise, rate)[2 * rate :]
    spectrum = np.abs(np.fft.rfft(left)) / np.abs(np.fft.rfft(noise[2 * rate :])).mean()
    above = spectrum[round(8_500 / (rate / 2) * spectrum.size) :]
    assert 20 * np.log10(np.sqrt((above**2).mean())) < -15


def test_hiss_above_speech_does_not_come_back_with_it(enhancer):
    rate, length = 48_000, 4 * 48_000
    noisy, _ = mixed(6.0, 5)
    white = np.fft.rfft(0.02 * np.random.default_rng(2).standard_normal(length))
    hertz = np.fft.rfftfreq(length, 1 / rate)
    hiss = np.fft.irfft(white * (hertz > 12_000)).astype(np.float32)
    speech = soxr.resample(noisy, 16_000, rate)
    speech = np.pad(speech, (0, max(0, length - speech.size)))[:length]
    heard = 2 * rate  # by then it has paused for long enough
    left = np.fft.rfft(enhancer(speech + hiss, rate)[heard:])
    above = np.fft.rfftfreq(length - heard, 1 / rate) > 12_500
    left_of_hiss = np.fft.irfft(left * above)
    assert 20 * np.log10(left_of_hiss.std() / hiss.std()) < -25


def test_a_rate_that_is_not_a_multiple_gives_nearly_what_its_neighbour_gives(enhancer):
    noisy, clean = mixed(5.0, 7)
    scores = []
    for rate in (44_100, 48_000):
        at_rate = soxr.resample(noisy, 16_000, rate)
        estimate = soxr.resample(enhancer(at_rate, rate), rate, 16_000)[: clean.size]
        scores.append(si_sdr_db(estimate, clean[: estimate.size]))
    assert scores[0] == pytest.approx(scores[1], abs=0.5)


def test_development_pairs_improve(enhancer, shared_data):
    folder = shared_data / "pairs" / "dev"
    with (folder / "pairs.csv").open(newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)][::4]
    gains = []
    for name in names:
        noisy, rate = sf.read(folder / "noisy" / f"{name}.flac", dtype="float32")
        clean, _ = sf.read(folder / "clean" / f"{name}.flac", dtype="float32")
        estimate = enhancer(noisy, rate)
        gains.append(si_sdr_db(estimate, clean) - si_sdr_db(noisy, clean))
    assert np.mean(gains) > FLOORS_DB[enhancer.name]


def resampled(signal: np.ndarray) -> np.ndarray:
    """To 48 kHz and back, which leaves an edge just below 8 kHz."""
    return soxr.resample(soxr.resample(signal, 16_000, 48_000), 48_000, 16_000)[: signal.size]


def low_cut(signal: np.ndarray) -> np.ndarray:
    """As a telephone does, which carries nothing below 300 Hz."""
    return fftconvolve(signal, firwin(2001, 300, fs=16_000, pass_zero=False), "same").astype("f4")


@pytest.mark.parametrize("filtered", [resampled, low_cut])
def test_a_filter_before_costs_little_more_than_one_after(enhancer, shared_data, filtered):
    """Recordings have passed through filters that no corpus has; untaught, networks lost 6 dB."""
    folder = shared_data / "pairs" / "dev"
    with (folder / "pairs.csv").open(newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)][::8]
    lost = []
    for name in names:
        noisy, clean = (
            sf.read(folder / part / f"{name}.flac", dtype="float32")[0]
            for part in ("noisy", "clean")
        )
        after, before = filtered(enhancer(noisy, 16_000)), enhancer(filtered(noisy), 16_000)
        lost.append(si_sdr_db(after, filtered(clean)) - si_sdr_db(before, filtered(clean)))
    assert np.mean(lost) < 1.5


def test_clean_speech_is_left_almost_untouched(enhancer, shared_data):
    files = sorted((shared_data / "speech" / "dev").rglob("*.opus"))[::8]
    kept = []
    for path in files:
        clean, rate = sf.read(Path(path), dtype="float32", frames=16_000 * 8)
        kept.append(si_sdr_db(enhancer(clean, rate), clean))
    assert np.mean(kept) > 20.0
