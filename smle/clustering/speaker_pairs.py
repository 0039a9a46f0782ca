"""Noisy speech of several speakers: what the speaker embedding learns from, pair by pair."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from smle.errors import CorpusError
from smle.material import augmentation
from smle.material.clusters import Only
from smle.material.decoded import Decoded
from smle.material.draw import NoiseDraw, is_silent
from smle.material.mixing import active_power, mix_at_snr

Signal = NDArray[np.float32]
Piece = tuple[int, int, int]

PIECE_S = 4.0
_SHORTEST_PIECE_S = 1.0
SNR_DB = (-5.0, 10.0)
_EQUALISE_DB = 6.0
_SIGNALS_PER_SPEAKER = 4


class SpeakerPairs:
    """Batches of signals of 4 s, in random access by step; any two of a batch make a pair.

    Recordings are cut into pieces of about 4 s (a speaker's only one in two), and no two signals
    of a batch share a piece. Each has its own noise, SNR (uniform from -5 to 10 dB) and colour,
    so that neither the room nor the microphone tells the speaker.

    Args:
        speech: Decoded speech.
        noise: Decoded noise at the same rate.
        speakers: Which speakers to draw; those with a single short recording make no pair and
            are ``left_out``.
        seed: Everything random follows from it.

    Raises:
        CorpusError: Fewer than two speakers make pairs.
    """

    def __init__(self, speech: Decoded, noise: Decoded, speakers: list[str], *, seed: int) -> None:
        self.speech, self.seed = speech, seed
        self._length = round(PIECE_S * speech.sample_rate)
        self._noise = NoiseDraw(noise, Only())
        own: dict[str, list[int]] = {speaker: [] for speaker in speakers}
        for index, utterance in enumerate(speech.corpus.utterances):
            if utterance.speaker in own:
                own[utterance.speaker].append(index)
        self._pieces: dict[str, list[Piece]] = {}
        for speaker, indices in own.items():
            fewest = 2 if len(indices) == 1 else 1
            pieces = [piece for index in indices for piece in self._cut(index, fewest)]
            if len(pieces) > 1:
                self._pieces[speaker] = pieces
        self.speakers = list(self._pieces)
        self.left_out = [speaker for speaker in speakers if speaker not in self._pieces]
        if len(self.speakers) < 2:
            raise CorpusError(
                f"{speech.corpus.root} has {len(self.speakers)} speakers with two or more "
                "recordings (or a long one), and pairs need two: add folders of speakers"
            )

    def batch(self, step: int, speakers: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return up to four signals each of that many speakers.

        Returns:
            Signals (rows, time), and the number of the speaker of each (rows,).
        """
        rng = np.random.default_rng(np.random.SeedSequence([self.seed, step]))
        chosen = rng.permutation(len(self.speakers))[:speakers]
        signals, numbers = [], []
        for number in chosen:
            pieces = self._pieces[self.speakers[number]]
            order = rng.permutation(len(pieces))
            for share in np.array_split(order, min(_SIGNALS_PER_SPEAKER, len(order))):
                signals.append(self._noisy(rng, [pieces[i] for i in share]))
                numbers.append(int(number))
        return torch.from_numpy(np.stack(signals)), torch.tensor(numbers)

    def _cut(self, index: int, fewest: int) -> list[Piece]:
        length = self.speech.length(index)
        shortest = round(_SHORTEST_PIECE_S * self.speech.sample_rate)
        count = max(1, round(length / self._length), min(fewest, length // shortest))
        edges = np.linspace(0, length, count + 1).astype(int)
        return [(index, int(a), int(b - a)) for a, b in pairwise(edges)]

    def _noisy(self, rng: np.random.Generator, pieces: list[Piece]) -> Signal:
        """Join pieces to 4 s, or put fewer at the end, and add noise."""
        parts: list[Signal] = []
        missing = self._length
        for piece in pieces:
            if missing <= 0:
                break
            part = self.speech.excerpt(piece[0], piece[1], min(piece[2], missing))
            parts.append(augmentation.fade_ends(part, sample_rate=self.speech.sample_rate))
            missing -= len(part)
        speech = np.concatenate([np.zeros(max(0, missing), np.float32), *parts])
        speech = augmentation.equalise(speech, rng, range_db=_EQUALISE_DB)
        return with_noise(rng, speech, self._noise, sample_rate=self.speech.sample_rate)


def with_noise(
    rng: np.random.Generator, speech: Signal, noise: NoiseDraw, *, sample_rate: int
) -> Signal:
    """Add a random noise at P2's range of SNR."""
    added = noise.segment(rng, noise.index(rng), len(speech))
    if is_silent(added) or active_power(speech, sample_rate=sample_rate) == 0:
        return speech
    return speech + mix_at_snr(speech, added, rng.uniform(*SNR_DB), sample_rate=sample_rate)
