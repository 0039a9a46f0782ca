"""Drawing speech and noise of one mixture's length out of decoded recordings."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from smle.errors import CorpusError
from smle.material import augmentation
from smle.material.clusters import Only
from smle.material.decoded import Decoded
from smle.material.mixing import mean_power
from smle.material.mixing_config import MixingConfig

Signal = NDArray[np.float32]

_GAP_S = 0.1
_SILENT_POWER = 1e-9


class SpeechDraw:
    """Speech of one speaker, drawn in proportion to length.

    Args:
        speech: Recordings to draw from.
        config: Pauses and their length.
        only: Restriction to speakers, genders or utterances.

    Raises:
        CorpusError: Nothing is left to draw from.
    """

    def __init__(self, speech: Decoded, config: MixingConfig, only: Only) -> None:
        self.speech = speech
        self.config = config
        self.names = speech.corpus.names
        utterances, names = speech.corpus.utterances, self.names
        allowed = [
            i
            for i, utterance in enumerate(utterances)
            if only.allows_speech(name=names[i], speaker=utterance.speaker, gender=utterance.gender)
        ]
        if not allowed:
            raise CorpusError(
                f"no speech in {speech.corpus.root} belongs to the cluster: cluster this corpus"
            )
        self._allowed = np.array(allowed)
        self._cumulative = np.cumsum([speech.length(i) for i in allowed])
        self._together: dict[tuple[str, str | None], list[int]] = {}
        for i in allowed:
            self._together.setdefault(self._group(i), []).append(i)

    def index(self, rng: np.random.Generator) -> int:
        """Draw an utterance."""
        return int(self._allowed[_weighted(rng, self._cumulative)])

    def segment(self, rng: np.random.Generator, index: int, length: int) -> Signal:
        """Return speech that starts with utterance ``index`` and goes on with others like it."""
        rate, config = self.speech.sample_rate, self.config
        signal = np.zeros(length, np.float32)
        at = self._pause(rng, length // 2) if rng.random() < config.pause / 2 else 0
        while at < length:
            piece = self._excerpt(rng, index, length - at)
            if rng.random() < config.pause:
                piece = augmentation.insert_pause(
                    piece, rng, pause=self._pause(rng, length // 2), sample_rate=rate
                )[: length - at]
            signal[at : at + len(piece)] = piece
            at += len(piece)
            paused = rng.random() < config.pause
            at += self._pause(rng, length) if paused else round(_GAP_S * rate)
            siblings = self._together[self._group(index)]
            index = siblings[int(rng.integers(len(siblings)))]
        return signal

    def babble(self, rng: np.random.Generator, index: int, length: int) -> Signal:
        """Return several talkers at once, none of them the speaker of utterance ``index``."""
        low, high = self.config.babble_talkers
        signal = np.zeros(length, np.float32)
        talkers = int(rng.integers(low, high + 1))
        for _ in range(talkers):
            other = int(rng.integers(len(self.speech)))
            if self._group(other) == self._group(index) and self._group(index)[1] is not None:
                continue
            for start in range(0, length, max(1, self.speech.length(other))):
                piece = self._excerpt(rng, other, length - start)
                power = mean_power(piece)
                if power > _SILENT_POWER:
                    gain = 10 ** (rng.uniform(-6, 0) / 20) / math.sqrt(power)
                    signal[start : start + len(piece)] += piece * np.float32(gain)
        return signal

    def _group(self, index: int) -> tuple[str, str | None]:
        utterance = self.speech.corpus.utterances[index]
        return str(utterance.path.parent), utterance.speaker

    def _pause(self, rng: np.random.Generator, longest: int) -> int:
        return min(longest, round(rng.uniform(*self.config.pause_s) * self.speech.sample_rate))

    def _excerpt(self, rng: np.random.Generator, index: int, length: int) -> Signal:
        spare = self.speech.length(index) - length
        start = int(rng.integers(spare + 1)) if spare > 0 else 0
        piece = self.speech.excerpt(index, start, length)
        return augmentation.fade_ends(piece, sample_rate=self.speech.sample_rate)


class NoiseDraw:
    """Recorded noise, drawn in proportion to length.

    Args:
        noise: Recordings to draw from.
        only: Restriction to files.

    Raises:
        CorpusError: Nothing is left to draw from.
    """

    def __init__(self, noise: Decoded, only: Only) -> None:
        self.noise = noise
        self.names = noise.corpus.names
        allowed = [
            i for i, name in enumerate(self.names) if only.noises is None or name in only.noises
        ]
        if not allowed:
            raise CorpusError(
                f"no noise in {noise.corpus.root} belongs to the cluster: cluster this corpus"
            )
        self._allowed = np.array(allowed)
        self._cumulative = np.cumsum([noise.length(i) for i in allowed])

    def index(self, rng: np.random.Generator) -> int:
        """Draw a recording."""
        return int(self._allowed[_weighted(rng, self._cumulative)])

    def segment(self, rng: np.random.Generator, index: int, length: int) -> Signal:
        """Return a stretch of one recording, repeated where that is shorter than ``length``."""
        size = self.noise.length(index)
        if size >= length:
            return self.noise.excerpt(index, int(rng.integers(size - length + 1)), length)
        once = augmentation.fade_ends(self.noise.excerpt(index), sample_rate=self.noise.sample_rate)
        start = int(rng.integers(size))
        return np.tile(once, -(-(start + length) // size))[start : start + length]


def is_silent(signal: Signal) -> bool:
    """Say whether a signal is too quiet to set a signal-to-noise ratio by."""
    return mean_power(signal) < _SILENT_POWER


def _weighted(rng: np.random.Generator, cumulative: NDArray[np.int64]) -> int:
    return int(np.searchsorted(cumulative, rng.integers(cumulative[-1]), side="right"))
