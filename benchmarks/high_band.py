"""How wrong 4-8 kHz is, where speech is voiced and where it is not ("s" sounds kept?).

The error of a file is the energy of estimate - clean over the energy of clean, both from 4 to
8 kHz and in the frames of one kind, in dB: 0 for an estimate that mutes the band, below 0 for one
that is better than muting it, above 0 for one that leaves more noise than there is speech.

Frames last 32 ms (Hann) and come every 16 ms; the clean signal decides about their kind:
active    energy within 40 dB of the loudest frame's;
voiced    active, and the normalised autocorrelation reaches 0.5 at a lag of 2.5 to 12.5 ms
          (pitch of 80 to 400 Hz), both halves of the product within the frame;
unvoiced  active, not voiced, and more energy above 2 kHz than below, so that breath and the
          room's rumble at the ends of words do not count as consonants.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from smle.evaluation.metric_table import Column, Metric, Signals
from smle.evaluation.metrics import LIMIT_DB, MetricError, Signal, checked, energy_of_clean

BAND_HZ = (4000.0, 8000.0)
ACTIVE_DB, VOICED, CONSONANT_HZ = 40.0, 0.5, 2000.0
PITCH_HZ = (80.0, 400.0)
WINDOW_S, HOP_S = 0.032, 0.016

Frames = NDArray[np.bool_]


def voiced_and_unvoiced(clean: Signal, sample_rate: int) -> tuple[Frames, Frames]:
    """Tell which frames of clean speech are voiced and which are unvoiced.

    Args:
        clean: Shape (time,).
        sample_rate: In Hz.

    Returns:
        Two masks of shape (frames,); pauses are in neither.
    """
    frames = _frames(clean, sample_rate)
    energy = (frames**2).sum(axis=1)
    active = energy > energy.max() * 10 ** (-ACTIVE_DB / 10)
    voiced = active & (_periodicity(frames, sample_rate) >= VOICED)
    power = _power(frames)
    high = _bins_hz(frames.shape[1], sample_rate) >= CONSONANT_HZ
    hissing = power[:, high].sum(axis=1) > power[:, ~high].sum(axis=1)
    return voiced, active & ~voiced & hissing


def high_band_error_db(estimate: Signal, clean: Signal, sample_rate: int, *, voiced: bool) -> float:
    """Return the error from 4 to 8 kHz in frames of one kind; 0 for a muted band.

    Args:
        estimate: Shape (time,).
        clean: Shape (time,).
        sample_rate: In Hz, at least 16000.
        voiced: Whether voiced or unvoiced frames count.

    Returns:
        Energy of the error over energy of the clean signal in dB, within +-100.

    Raises:
        MetricError: If the rate is too low, or the clean signal has no such frame.
    """
    if sample_rate < 2 * BAND_HZ[1]:
        raise MetricError(f"high band: {sample_rate} Hz is too low a rate, 16000 Hz is needed")
    processed, reference = checked(estimate, clean)
    energy_of_clean(reference)
    if reference.size < round(WINDOW_S * sample_rate):
        raise MetricError(f"high band: {reference.size} samples are fewer than a frame")
    chosen = voiced_and_unvoiced(reference, sample_rate)[0 if voiced else 1]
    kind = "voiced" if voiced else "unvoiced"
    energies = [
        _band_energy(signal, sample_rate, chosen) for signal in (processed - reference, reference)
    ]
    if not chosen.any() or energies[1] == 0:
        raise MetricError(f"high band: the clean signal has no {kind} frame with treble")
    ratio_db = 10 * np.log10(max(energies[0] / energies[1], 1e-20))
    return float(np.clip(ratio_db, -LIMIT_DB, LIMIT_DB))


def _metric(kind: str) -> Metric:
    def score(signals: Signals) -> tuple[float]:
        assert signals.clean is not None
        error_db = high_band_error_db(
            signals.estimate, signals.clean, signals.sample_rate, voiced=kind == "voiced"
        )
        return (error_db,)

    return Metric(
        f"Energy of the error over energy of the clean signal, 4-8 kHz, {kind} frames; "
        "0 dB for a muted band.",
        (Column(f"high_band_error_db_{kind}", f"4-8 kHz error, {kind}", "dB", False),),
        score,
    )


HIGH_BAND_METRICS = {f"high-band-{kind}": _metric(kind) for kind in ("voiced", "unvoiced")}


def _frames(signal: Signal, sample_rate: int) -> Signal:
    length, hop = round(WINDOW_S * sample_rate), round(HOP_S * sample_rate)
    return np.lib.stride_tricks.sliding_window_view(signal, length)[::hop]


def _power(frames: Signal) -> Signal:
    window = np.hanning(frames.shape[1] + 1)[:-1]
    return np.asarray(np.abs(np.fft.rfft(frames * window)) ** 2)


def _bins_hz(length: int, sample_rate: int) -> Signal:
    return np.asarray(np.fft.rfftfreq(length, 1 / sample_rate), np.float64)


def _band_energy(signal: Signal, sample_rate: int, chosen: Frames) -> float:
    frames = _frames(signal, sample_rate)[chosen]
    bins_hz = _bins_hz(frames.shape[1], sample_rate)
    band = (bins_hz >= BAND_HZ[0]) & (bins_hz <= BAND_HZ[1])
    return float(_power(frames)[:, band].sum())


def _periodicity(frames: Signal, sample_rate: int) -> Signal:
    """Return the largest correlation of a frame with itself one pitch period later."""
    frames = frames - frames.mean(axis=1, keepdims=True)
    length = frames.shape[1]
    lags = np.arange(int(sample_rate / PITCH_HZ[1]), int(sample_rate / PITCH_HZ[0]) + 1)
    spectrum = np.fft.rfft(frames, 2 * length)
    products = np.fft.irfft(np.abs(spectrum) ** 2, 2 * length)[:, lags]
    total = np.pad(np.cumsum(frames**2, axis=1), ((0, 0), (1, 0)))
    early, late = total[:, length - lags], total[:, -1:] - total[:, lags]
    norm = np.sqrt(early * late)
    return np.asarray(np.divide(products, norm, out=np.zeros_like(norm), where=norm > 0).max(1))
