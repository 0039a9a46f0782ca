"""The gate's evidence over whole signals, for one decision that stands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from smle.arrays.mixture import ArrayMixture
from smle.arrays.spectral import ArrayFeatures, ArrayStft
from smle.enhancement.one_thread import one_thread

Signal = NDArray[np.float32]
_BLOCK_S = 10.0


def evidence(
    mixture: ArrayMixture, rows: Signal, lengths: NDArray[np.integer], sample_rate: int
) -> tuple[NDArray[np.float64], NDArray[np.integer]]:
    """Add up what the gate says of every frame: the papers choose by the mean over a signal.

    Args:
        mixture: Its gate is asked.
        rows: (rows, samples), the shorter ones padded at their end.
        lengths: Samples of each row that are to be heard, (rows,).
        sample_rate: In Hz.

    Returns:
        Sums of logits (rows, specialists), and the frames that each row's are of (rows,).
    """
    spectral = mixture.recipe.spectral
    stft, features = ArrayStft(spectral, sample_rate), ArrayFeatures(spectral)
    level, state = features.start(len(rows)), mixture.start_listening(len(rows))
    hop = stft.hop_length
    counts = np.maximum(1, -(-lengths // hop))
    sums = np.zeros((len(rows), len(mixture.specialists)))
    padded = np.pad(rows, ((0, 0), (stft.overlap, stft.overlap + hop)))
    step = max(1, round(_BLOCK_S * spectral.frames_per_s))
    for first in range(0, int(counts.max()), step):
        stop = min(first + step, int(counts.max()))
        part = padded[:, first * hop : stop * hop + stft.overlap]
        with one_thread:
            heard, level = features(stft.analyse(part), level)
            logits, state = mixture.listen(heard, state)
        within = np.arange(first, stop)[None] < counts[:, None]
        sums += (logits * within[..., None]).sum(1, dtype=np.float64)
    return sums, counts


def mean_logits(mixture: ArrayMixture, audio: Signal, sample_rate: int) -> NDArray[np.float64]:
    """Return the gate's mean logits over a whole signal.

    Args:
        mixture: Its gate is asked.
        audio: (channels, time).
        sample_rate: In Hz.

    Returns:
        (channels, specialists).

    >>> import smle
    >>> mean_logits(smle.load().mixture, np.zeros((2, 16_000), np.float32), 16_000).shape
    (2, 4)
    """
    lengths = np.full(len(audio), audio.shape[1])
    sums, counts = evidence(mixture, audio, lengths, sample_rate)
    return np.asarray(sums / counts[:, None])
