"""Ways to vary a signal of training material; each is a function of the signal and a generator."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy import fft

from smle.material.mixing import FRAME_S

Signal = NDArray[np.float32]

_EQUALISER_BANDS = 7
_FADE_S = 0.005
_QUIET_DB = 35.0
_RESPONSE_POINTS = 1025
_RESAMPLER_BEGINS = 0.8
_RESAMPLER_EDGE_HZ = (30.0, 600.0)
_RESAMPLER_REST_DB = (30.0, 120.0)
_LOW_CUT_HZ = (60.0, 450.0)
_LOW_CUT_EDGE_HZ = (20.0, 200.0)
_LOW_CUT_REST_DB = (20.0, 80.0)
_PASSING_MOMENT_S = (0.1, 1.5)
_PASSING_GAP_S = (0.2, 3.0)
_PASSING_BELOW_DB = (10.0, 60.0)


def filter_response(signal: Signal, gains: Signal) -> Signal:
    """Filter a signal with zero phase.

    Args:
        signal: Samples of shape (time,).
        gains: Linear gains at equally spaced frequencies from 0 Hz to half the sample rate.
    """
    size = fft.next_fast_len(len(signal) + 1024, real=True)
    spectrum = fft.rfft(signal, size)
    positions = np.linspace(0, len(gains) - 1, len(spectrum), dtype=np.float32)
    spectrum *= np.interp(positions, np.arange(len(gains)), gains).astype(np.float32)
    filtered: Signal = fft.irfft(spectrum, size)[: len(signal)]
    return filtered


def equalise(signal: Signal, rng: np.random.Generator, *, range_db: float) -> Signal:
    """Colour a signal with a smooth random response within plus or minus ``range_db``."""
    frequencies = np.linspace(0, 1, 129)
    centres = np.geomspace(1 / 128, 1, _EQUALISER_BANDS)
    gains_db = np.interp(
        np.log(np.maximum(frequencies, centres[0])),
        np.log(centres),
        rng.uniform(-range_db, range_db, _EQUALISER_BANDS),
    )
    return filter_response(signal, (10 ** (gains_db / 20)).astype(np.float32))


def band_limit(signal: Signal, cutoff_hz: float, *, sample_rate: int) -> Signal:
    """Remove what lies above ``cutoff_hz``, as a telephone or an MP3 encoder does."""
    frequencies = np.linspace(0, sample_rate / 2, 513)
    gains = np.clip((cutoff_hz * 1.04 - frequencies) / (0.08 * cutoff_hz), 0, 1)
    return filter_response(signal, np.sin(gains * np.pi / 2).astype(np.float32))


def resample_response(rng: np.random.Generator, *, sample_rate: int) -> Signal:
    """Draw the response of a resampler that came before: an edge just below half the sample rate.

    Args:
        rng: Draws where the edge begins (from 0.8 of half the sample rate on), how wide it is (30
            to 600 Hz) and how much is left behind it (-30 to -120 dB).
        sample_rate: Samples per second.

    Returns:
        Linear gains at equally spaced frequencies up to half the sample rate.
    """
    frequencies = np.linspace(0, sample_rate / 2, _RESPONSE_POINTS)
    edge_hz = float(np.exp(rng.uniform(*np.log(_RESAMPLER_EDGE_HZ))))
    begin_hz = rng.uniform(_RESAMPLER_BEGINS, 1.0) * sample_rate / 2
    return _edge((frequencies - begin_hz) / edge_hz, rng.uniform(*_RESAMPLER_REST_DB))


def low_cut_response(rng: np.random.Generator, *, sample_rate: int) -> Signal:
    """Draw the response of a low cut, as of a telephone or a microphone's switch.

    Args:
        rng: Draws from where on all passes (60 to 450 Hz), how wide the edge below is (20 to 200
            Hz) and how much is left below that (-20 to -80 dB).
        sample_rate: Samples per second.

    Returns:
        Linear gains at equally spaced frequencies up to half the sample rate.
    """
    frequencies = np.linspace(0, sample_rate / 2, _RESPONSE_POINTS)
    edge_hz = float(np.exp(rng.uniform(*np.log(_LOW_CUT_EDGE_HZ))))
    passes_hz = float(np.exp(rng.uniform(*np.log(_LOW_CUT_HZ))))
    return _edge((passes_hz - frequencies) / edge_hz, rng.uniform(*_LOW_CUT_REST_DB))


def _edge(fallen: NDArray[np.float64], rest_db: float) -> Signal:
    """Gains of 1 up to 0, falling as a cosine from there to 1, and no lower than the rest."""
    rest = 10 ** (-rest_db / 20)
    return np.maximum(np.cos(np.clip(fallen, 0, 1) * np.pi / 2), rest).astype(np.float32)


def change_speed(signal: Signal, factor: float, *, length: int) -> Signal:
    """Play a signal ``factor`` times as fast (tempo and pitch), cut or padded to ``length``."""
    resampled = soxr.resample(signal, factor, 1.0, quality="MQ")[:length]
    return np.pad(resampled, (0, length - len(resampled))).astype(np.float32, copy=False)


def clip(signal: Signal, rng: np.random.Generator, *, depth_db: tuple[float, float]) -> Signal:
    """Clip a signal as an overloaded input does, ``depth_db`` below its peak."""
    peak = float(np.abs(signal).max())
    limit = peak * 10 ** (-rng.uniform(*depth_db) / 20)
    return np.clip(signal, -limit, limit)


def fade_ends(signal: Signal, *, sample_rate: int) -> Signal:
    """Fade 5 ms at both ends, in place, so that a cut makes no click."""
    length = min(round(_FADE_S * sample_rate), len(signal) // 2)
    if length:
        ramp = np.linspace(0, 1, length, dtype=np.float32)
        signal[:length] *= ramp
        signal[-length:] *= ramp[::-1]
    return signal


def insert_pause(
    signal: Signal, rng: np.random.Generator, *, pause: int, sample_rate: int
) -> Signal:
    """Insert ``pause`` samples of silence where the signal is quiet, or at its quietest frame."""
    frame = round(FRAME_S * sample_rate)
    count = len(signal) // frame
    if count < 3:
        return signal
    frames = signal[: count * frame].reshape(count, frame)
    powers = np.einsum("ft,ft->f", frames, frames)
    quiet = np.flatnonzero(powers[1:-1] < powers.max() * 10 ** (-_QUIET_DB / 10)) + 1
    at = int(rng.choice(quiet)) if len(quiet) else int(np.argmin(powers[1:-1])) + 1
    cut = at * frame + frame // 2
    return np.concatenate(
        [
            fade_ends(signal[:cut].copy(), sample_rate=sample_rate),
            np.zeros(pause, np.float32),
            fade_ends(signal[cut:].copy(), sample_rate=sample_rate),
        ]
    )


def pass_by(signal: Signal, rng: np.random.Generator, *, sample_rate: int) -> Signal:
    """Leave moments of a signal, as of what passes by; between them it is far away.

    Args:
        signal: Samples of shape (time,).
        rng: Draws the moments, 0.1 to 1.5 s long and 0.2 to 3 s apart, and how far the signal lies
            below them: 10 to 60 dB.
        sample_rate: Samples per second.
    """
    far = np.float32(10 ** (-rng.uniform(*_PASSING_BELOW_DB) / 20))
    passing = signal * far
    at = round(rng.uniform(0, 0.5) * len(signal))
    while at < len(signal):
        stop = at + round(rng.uniform(*_PASSING_MOMENT_S) * sample_rate)
        passing[at:stop] += fade_ends(signal[at:stop] * (1 - far), sample_rate=sample_rate)
        at = stop + round(rng.uniform(*_PASSING_GAP_S) * sample_rate)
    return passing
