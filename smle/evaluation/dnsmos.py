"""DNSMOS, a network's guess of how listeners would rate speech, without any reference.

The weights come inside the `speechmos` wheel and run in onnxruntime. `speechmos` itself needs
librosa (and with it a compiler stack) for one mel spectrogram, which is computed here instead.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smle.evaluation.metrics import MetricError, resampled

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

RATE_HZ = 16000
WINDOW = int(9.01 * RATE_HZ)
N_FFT, HOP, MELS = 321, 160, 120

# From raw network outputs to ratings, as published with the DNS challenge.
SIG = np.poly1d([-0.08397278, 1.22083953, 0.0052439])
BAK = np.poly1d([-0.13166888, 1.60915514, -0.39604546])
OVRL = np.poly1d([-0.06766283, 1.11546468, 0.04602535])


def dnsmos(estimate: ArrayLike, sample_rate: int) -> tuple[float, float, float, float]:
    """Return the DNSMOS ratings of speech (SIG), background (BAK), both (OVRL), and P.808.

    Windows of 9.01 s, one a second, are rated and averaged; shorter speech is repeated first.
    A silent file gets a rating too: read DNSMOS beside a metric that knows the clean signal.
    Source: Reddy et al., "DNSMOS P.835", ICASSP 2022.

    Args:
        estimate: The speech, shape (time,); clipped to +-1, as a sound card would.
        sample_rate: In Hz; resampled to 16 kHz.

    Returns:
        Four ratings, about 1 (bad) to 5 (excellent).

    Raises:
        MetricError: If the signal is empty, shorter than a sample at 16 kHz, or not finite.
    """
    signal = np.asarray(estimate, np.float64)
    if signal.ndim != 1 or signal.size == 0 or not np.isfinite(signal).all():
        raise MetricError("dnsmos: the estimate is empty or holds NaN or infinity")
    signal = np.clip(resampled(signal, sample_rate, RATE_HZ), -1.0, 1.0)
    if not signal.size:
        raise MetricError("dnsmos: the estimate is shorter than one sample at 16 kHz")
    # Doubled, not tiled to length, as in the published script.
    while signal.size < WINDOW:
        signal = np.append(signal, signal)
    p835, p808 = _sessions()
    ratings = []
    for start in range(0, RATE_HZ * (int(signal.size // RATE_HZ - 9.01) + 1), RATE_HZ):
        window = signal[start : start + WINDOW].astype(np.float32)
        if window.size < WINDOW:
            break
        sig, bak, ovrl = p835.run(None, {"input_1": window[None]})[0][0]
        mel = mel_spectrogram(window[:-HOP])
        overall = p808.run(None, {"input_1": mel[None]})[0][0][0]
        ratings.append((SIG(sig), BAK(bak), OVRL(ovrl), overall))
    means = np.mean(ratings, axis=0)
    return float(means[0]), float(means[1]), float(means[2]), float(means[3])


def network_file(name: str) -> Path:
    """Return where the wheel of `speechmos` keeps a network.

    Args:
        name: Path inside the package.

    Raises:
        MetricError: If the package is missing.
    """
    spec = find_spec("speechmos")
    if spec is None or spec.origin is None:
        raise MetricError("ratings need the package speechmos; pip install speechmos")
    return Path(spec.origin).parent / name


def mel_spectrogram(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mel spectrogram that the P.808 network hears.

    Args:
        signal: Shape (time,), at 16 kHz.

    Returns:
        Levels relative to the loudest bin, (dB + 40) / 40, shape (frames, 120).
    """
    padded = np.pad(signal, N_FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    window = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
    power = np.abs(np.fft.rfft(frames * window)) ** 2 @ _mel_filters().T
    level_db = 10 * np.log10(np.maximum(power, 1e-10))
    level_db -= max(level_db.max(), -100.0)
    level_db = np.maximum(level_db, level_db.max() - 80.0)
    return np.asarray((level_db + 40) / 40, np.float32)


@cache
def _mel_filters() -> NDArray[np.float64]:
    """Return Slaney's triangles of equal area, shape (120, 161)."""
    bins_hz = np.fft.rfftfreq(N_FFT, 1 / RATE_HZ)
    mels = np.linspace(0.0, 15 + 27 * np.log(8.0) / np.log(6.4), MELS + 2)
    edges_hz = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(np.log(6.4) / 27 * (mels - 15)))
    widths_hz = np.diff(edges_hz)
    slopes = edges_hz[:, None] - bins_hz
    rising, falling = -slopes[:-2] / widths_hz[:-1, None], slopes[2:] / widths_hz[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    return np.asarray(triangles * (2 / (edges_hz[2:] - edges_hz[:-2]))[:, None])


@cache
def _sessions() -> tuple[InferenceSession, InferenceSession]:
    """Return the P.835 and the P.808 network, on one thread: files run in parallel, not layers."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return (
        onnxruntime.InferenceSession(network_file("dnsmos_models/sig_bak_ovr.onnx"), options),
        onnxruntime.InferenceSession(network_file("dnsmos_models/model_v8.onnx"), options),
    )
