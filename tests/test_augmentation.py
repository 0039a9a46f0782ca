from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy.signal import fftconvolve

from smle.errors import CorpusError
from smle.material import augmentation, synthetic
from smle.material.rooms import Rooms, read_responses
from smle.material.simulated_rooms import simulate_responses

RATE = 16000


def tone(frequency_hz: float, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return np.sin(2 * np.pi * frequency_hz * time).astype(np.float32)


def level(signal: np.ndarray) -> float:
    middle = signal[len(signal) // 4 : -len(signal) // 4]
    return float(np.sqrt(np.mean(middle.astype(float) ** 2)))


def test_flat_response_changes_nothing() -> None:
    signal = tone(1000)
    filtered = augmentation.filter_response(signal, np.ones(129, np.float32))
    np.testing.assert_allclose(filtered, signal, atol=1e-5)


def test_equaliser_stays_within_its_range() -> None:
    for seed in range(10):
        for frequency_hz in (100, 1000, 6000):
            coloured = augmentation.equalise(
                tone(frequency_hz), np.random.default_rng(seed), range_db=6
            )
            assert abs(20 * np.log10(level(coloured) / level(tone(frequency_hz)))) < 6.1


@pytest.mark.parametrize("cutoff_hz", [3400, 5500])
def test_band_limit_keeps_below_and_removes_above(cutoff_hz: float) -> None:
    below, above = tone(cutoff_hz * 0.9), tone(cutoff_hz * 1.1)
    kept = augmentation.band_limit(below, cutoff_hz, sample_rate=RATE)
    removed = augmentation.band_limit(above, cutoff_hz, sample_rate=RATE)
    assert level(kept) == pytest.approx(level(below), rel=0.01)
    assert level(removed) < 0.003 * level(above)


def test_a_resampler_passes_what_lies_below_its_edge_and_little_above() -> None:
    for seed in range(40):
        response = augmentation.resample_response(np.random.default_rng(seed), sample_rate=RATE)
        frequencies = np.linspace(0, RATE / 2, len(response))
        assert (response[frequencies < 0.8 * RATE / 2] == 1).all()
        assert (np.diff(response) <= 0).all()
        begins = frequencies[response == 1].max()
        beyond = response[frequencies > begins + 650]
        assert (beyond <= 10 ** (-30 / 20) + 1e-6).all()


def test_a_low_cut_takes_little_above_its_edge_and_much_below() -> None:
    for seed in range(40):
        response = augmentation.low_cut_response(np.random.default_rng(seed), sample_rate=RATE)
        frequencies = np.linspace(0, RATE / 2, len(response))
        assert (response[frequencies > 460] == 1).all()
        assert (np.diff(response) >= 0).all()
        begins = frequencies[response == 1].min()
        below = response[frequencies < begins - 210]
        assert (below <= 10 ** (-20 / 20) + 1e-6).all()


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_speed_scales_pitch(factor: float) -> None:
    faster = augmentation.change_speed(tone(1000, 1.2), factor, length=RATE)
    assert faster.shape == (RATE,)
    peak_hz = np.abs(np.fft.rfft(faster * np.hanning(RATE))).argmax()
    assert peak_hz == pytest.approx(1000 * factor, abs=1)


def test_pause_is_true_silence_at_a_quiet_place() -> None:
    signal = np.concatenate([tone(200, 0.5), np.full(800, 1e-4, np.float32), tone(300, 0.5)])
    paused = augmentation.insert_pause(
        signal, np.random.default_rng(0), pause=4000, sample_rate=RATE
    )
    assert len(paused) == len(signal) + 4000
    silent = np.flatnonzero(paused == 0)
    longest = silent[silent > 100]
    assert 8000 < longest[0] < 8800
    assert np.all(paused[longest[0] : longest[0] + 4000] == 0)


def test_what_passes_is_heard_whole_in_moments_and_far_away_between_them() -> None:
    signal = tone(1000, 20)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        passing = augmentation.pass_by(signal, rng, sample_rate=RATE)
        frames = (passing / np.where(signal == 0, 1, signal)).reshape(-1, RATE // 100)
        gains = np.sqrt(np.mean(frames**2, axis=1))
        assert gains.max() == pytest.approx(1, abs=0.01)
        far = gains.min()
        assert 0.0009 < far < 0.33
        between = (gains > 1.05 * far) & (gains < 0.95)
        assert between.mean() < 0.1  # quick to come and to go
        assert 0.1 < np.mean(gains > 0.95) < 0.9


def test_clipping_is_flat_at_the_limit() -> None:
    clipped = augmentation.clip(tone(100), np.random.default_rng(0), depth_db=(6, 6))
    assert np.abs(clipped).max() == pytest.approx(10 ** (-6 / 20), rel=1e-3)
    assert (np.abs(clipped) >= 0.5).mean() > 0.5


def test_room_is_the_convolution_and_its_target_the_first_50_ms() -> None:
    rng = np.random.default_rng(0)
    response = np.zeros(8000, np.float32)
    response[10], response[500], response[6000] = 1.0, 0.5, 0.3
    speech = rng.standard_normal(20000).astype(np.float32)
    heard, target = Rooms([response]).apply(speech, 0)
    scale = 1 / np.sqrt(1.25)
    np.testing.assert_allclose(heard, scale * fftconvolve(speech, response[10:])[:20000], atol=1e-4)
    np.testing.assert_allclose(
        target, scale * fftconvolve(speech, response[10:1000])[:20000], atol=1e-4
    )
    drier, same = Rooms([response]).apply(speech, 0, late_gain=0.0)
    np.testing.assert_allclose(drier, same, atol=1e-6)


def test_folder_without_rooms_is_refused(tmp_path: object) -> None:
    with pytest.raises(CorpusError, match="no room responses"):
        read_responses(str(tmp_path))


def test_synthetic_noises_are_finite_and_sound() -> None:
    rng = np.random.default_rng(0)
    for noise in (
        synthetic.coloured_noise(rng, 5000),
        synthetic.hum(rng, 5000, sample_rate=RATE),
        synthetic.clicks(rng, 5000, sample_rate=RATE),
        synthetic.chords(rng, 5000, sample_rate=RATE),
    ):
        assert noise.shape == (5000,)
        assert noise.dtype == np.float32
        assert np.isfinite(noise).all()
        assert np.abs(noise).max() > 1e-3


def test_hum_has_energy_only_at_harmonics_of_the_mains() -> None:
    noise = synthetic.hum(np.random.default_rng(1), RATE, sample_rate=RATE)
    spectrum = np.abs(np.fft.rfft(noise * np.hanning(RATE))) ** 2
    bins = np.arange(len(spectrum))
    near = np.zeros(len(spectrum), bool)
    for base_hz in (50, 60):
        for harmonic in range(1, 13):
            near |= np.abs(bins - base_hz * harmonic) < 5
    assert spectrum[near].sum() > 0.999 * spectrum.sum()


def test_simulated_rooms_come_from_the_seed_and_ring() -> None:
    pytest.importorskip("pyroomacoustics")
    first, again, other = (simulate_responses(3, seed=seed) for seed in (1, 1, 2))
    for response, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(response, same)
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    np.testing.assert_array_equal(simulate_responses(1, seed=1)[0], first[0])
    for response in first:
        direct = int(np.abs(response).argmax())
        # Sound travels 343 m/s, over 0.3 to 2.5 m; the package delays all by 40 samples.
        assert 0.3 / 343 * RATE - 3 < direct - 40 < 2.5 / 343 * RATE + 3
        late = np.square(response[direct + RATE // 20 :], dtype=float).sum()
        assert 1e-4 < late / np.square(response, dtype=float).sum() < 0.9
    heard, target = Rooms(first).apply(tone(440), 0)
    assert heard.shape == target.shape


def test_simulated_rooms_without_their_package_say_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pyroomacoustics", None)
    assert simulate_responses(0, seed=1) == []
    with pytest.raises(CorpusError, match=r"smle\[rooms\]"):
        simulate_responses(1, seed=1)
