"""Training mixtures: every batch is a pure function of the seed, the step and the item."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from smle.errors import CorpusError
from smle.material import augmentation
from smle.material.clusters import UNKNOWN, Clusters, Only
from smle.material.decoded import Decoded
from smle.material.draw import NoiseDraw, SpeechDraw, is_silent
from smle.material.mixing import active_power, mean_power, mix_at_snr
from smle.material.mixing_config import MixingConfig
from smle.material.rooms import Rooms
from smle.material.synthetic import synthetic_noise

Signal = NDArray[np.float32]

_LENGTH_MULTIPLE = 256
_TRIES = 5
_FILTERED_NOISE_ALONE = 1 / 3


@dataclass(frozen=True)
class Batch:
    """Mixtures to train on.

    Args:
        noisy: Samples of shape (batch, time), float32.
        clean: The target, of the same shape.
        snr_db: Shape (batch,): infinite without noise, minus infinite without speech.
        labels: Shape (batch,): cluster of each mixture, -1 where unknown.
        speech: Shape (batch,): position of the (first) utterance in the speech corpus.
    """

    noisy: torch.Tensor
    clean: torch.Tensor
    snr_db: torch.Tensor
    labels: torch.Tensor
    speech: torch.Tensor


class MixtureDataset:
    """Noisy speech made of recordings, without end and in random access.

    Args:
        speech: Decoded speech.
        noise: Decoded noise at the same rate.
        rooms: Room responses at the same rate, or None.
        config: How mixtures are drawn.
        seed: Everything random follows from it.
        only: Restriction to the material of one cluster; see ``Clusters.only``.
        clusters: Grouping whose labels the batches carry.

    Raises:
        CorpusError: Rates differ, or the restriction leaves nothing.
    """

    def __init__(
        self,
        speech: Decoded,
        noise: Decoded,
        rooms: Rooms | None,
        config: MixingConfig,
        seed: int,
        *,
        only: Only | None = None,
        clusters: Clusters | None = None,
    ) -> None:
        rates = {speech.sample_rate, noise.sample_rate}
        if rooms is not None:
            rates.add(rooms.sample_rate)
        if len(rates) > 1:
            raise CorpusError(f"speech, noise and rooms have rates {sorted(rates)}: use one rate")
        self.sample_rate = speech.sample_rate
        self.config = config
        self.seed = seed
        self.clusters = clusters
        samples = config.segment_s * self.sample_rate
        self.length = math.ceil(samples / _LENGTH_MULTIPLE) * _LENGTH_MULTIPLE
        self._only = only or Only()
        self._snr_db = _intersect(config.snr_db, self._only.snr_db)
        self._rooms = rooms
        self._speech = SpeechDraw(speech, config, self._only)
        self._noise = NoiseDraw(noise, self._only)

    def batch(self, step: int, size: int, first_item: int = 0) -> Batch:
        """Return ``size`` mixtures of a step, from ``first_item`` on.

        Several processes split a batch by asking for different items of the same step.
        """
        items = [self.item(step, first_item + i) for i in range(size)]
        return Batch(
            noisy=torch.from_numpy(np.stack([noisy for noisy, _, _, _, _ in items])),
            clean=torch.from_numpy(np.stack([clean for _, clean, _, _, _ in items])),
            snr_db=torch.tensor([snr for _, _, snr, _, _ in items], dtype=torch.float32),
            labels=torch.tensor([label for _, _, _, label, _ in items]),
            speech=torch.tensor([index for _, _, _, _, index in items]),
        )

    def item(self, step: int, item: int) -> tuple[Signal, Signal, float, int, int]:
        """Return noisy, clean, snr_db, label and the utterance's position of one mixture."""
        rng = np.random.default_rng(np.random.SeedSequence([self.seed, step, item]))
        config = self.config
        index = self._speech.index(rng)
        heard, clean = self._draw_speech(rng, index)
        noise, noise_index = self._draw_noise(rng, index)
        # Drawn only where asked for: recipes without it keep the mixtures that they had.
        for share, draw in (
            (config.resampled, augmentation.resample_response),
            (config.low_cut, augmentation.low_cut_response),
        ):
            if share and rng.random() < share:
                response = draw(rng, sample_rate=self.sample_rate)
                noise = augmentation.filter_response(noise, response)
                if rng.random() >= _FILTERED_NOISE_ALONE:
                    heard = augmentation.filter_response(heard, response)
                    clean = augmentation.filter_response(clean, response)
        snr_db = float(rng.uniform(*self._snr_db))
        which = rng.random()
        if which < config.noise_only or active_power(heard, sample_rate=self.sample_rate) < 1e-12:
            heard, clean, snr_db = np.zeros_like(heard), np.zeros_like(clean), -math.inf
        elif which < config.noise_only + config.clean_only:
            noise, snr_db = np.zeros_like(noise), math.inf
        else:
            noise = mix_at_snr(heard, noise, snr_db, sample_rate=self.sample_rate)
        noisy = heard + noise
        if rng.random() < config.band_limit:
            cutoff_hz = float(rng.choice(config.band_limits_hz))
            if cutoff_hz < self.sample_rate / 2:
                noisy = augmentation.band_limit(noisy, cutoff_hz, sample_rate=self.sample_rate)
                clean = augmentation.band_limit(clean, cutoff_hz, sample_rate=self.sample_rate)
        gain = _gain_to(rng.uniform(*config.level_dbfs), noisy)
        noisy, clean = noisy * gain, clean * gain
        if rng.random() < config.clip:
            noisy = augmentation.clip(noisy, rng, depth_db=config.clip_db)
        return noisy, clean, snr_db, self._label(index, noise_index, snr_db), index

    def _draw_speech(self, rng: np.random.Generator, index: int) -> tuple[Signal, Signal]:
        config = self.config
        if rng.random() < config.speed:
            factor = float(rng.uniform(*config.speed_range))
            clean = self._at_speed(self._speech, rng, index, factor)
        else:
            clean = self._speech.segment(rng, index, self.length)
        if rng.random() < config.equalise:
            clean = augmentation.equalise(clean, rng, range_db=config.equalise_db)
        if self._rooms is None or rng.random() >= config.room:
            return clean, clean
        room = int(rng.integers(len(self._rooms)))
        late_gain = float(rng.uniform(*config.room_late_gain))
        return self._rooms.apply(clean, room, late_gain=late_gain)

    def _draw_noise(self, rng: np.random.Generator, index: int) -> tuple[Signal, int | None]:
        config, recorded = self.config, None
        which = rng.random() if self._only.noises is None else 1.0
        if which < config.babble:
            noise = self._speech.babble(rng, index, self.length)
        elif which < config.babble + config.synthetic:
            noise = synthetic_noise(rng, self.length, sample_rate=self.sample_rate)
        else:
            noise, recorded = self._recorded_noise(rng)
        if is_silent(noise):
            noise, recorded = synthetic_noise(rng, self.length, sample_rate=self.sample_rate), None
        if rng.random() < config.second_noise:
            second, second_index = self._recorded_noise(rng)
            gain = 10 ** (rng.uniform(*config.second_noise_db) / 20)
            power = mean_power(second)
            if power > 0 and self._alike(recorded, second_index):
                noise = noise + second * np.float32(gain * math.sqrt(mean_power(noise) / power))
        # As above, only where asked for.
        if config.passing and rng.random() < config.passing:
            noise = augmentation.pass_by(noise, rng, sample_rate=self.sample_rate)
        if rng.random() < config.equalise:
            noise = augmentation.equalise(noise, rng, range_db=config.equalise_db)
        return noise, recorded

    def _recorded_noise(self, rng: np.random.Generator) -> tuple[Signal, int]:
        for _ in range(_TRIES):
            index = self._noise.index(rng)
            noise = self._noise_segment(rng, index)
            if not is_silent(noise):
                break
        return noise, index

    def _noise_segment(self, rng: np.random.Generator, index: int) -> Signal:
        config = self.config
        # As above, only where asked for.
        if not (config.noise_speed and rng.random() < config.noise_speed):
            return self._noise.segment(rng, index, self.length)
        factor = float(np.exp(rng.uniform(*np.log(config.noise_speed_range))))
        return self._at_speed(self._noise, rng, index, factor)

    def _at_speed(
        self, draw: SpeechDraw | NoiseDraw, rng: np.random.Generator, index: int, factor: float
    ) -> Signal:
        drawn = draw.segment(rng, index, math.ceil(self.length * factor))
        return augmentation.change_speed(drawn, factor, length=self.length)

    def _alike(self, first: int | None, second: int) -> bool:
        """Say whether a second noise leaves the label of the mixture as it is."""
        if self.clusters is None or self.clusters.by != "noise" or first is None:
            return True
        names = self._noise.names
        return self.clusters.label(noise=names[first]) == self.clusters.label(noise=names[second])

    def _label(self, index: int, noise_index: int | None, snr_db: float) -> int:
        if self.clusters is None:
            return UNKNOWN
        corpus = self._speech.speech.corpus
        utterance = corpus.utterances[index]
        return self.clusters.label(
            speaker=utterance.speaker,
            gender=utterance.gender,
            snr_db=snr_db,
            noise=None if noise_index is None else self._noise.names[noise_index],
            utterance=self._speech.names[index],
        )


def _intersect(
    interval: tuple[float, float], other: tuple[float, float] | None
) -> tuple[float, float]:
    if other is None:
        return interval
    low, high = max(interval[0], other[0]), min(interval[1], other[1])
    if low >= high:
        raise CorpusError(
            f"the cluster's SNR interval {other} lies outside mixing.snr_db {list(interval)}: "
            "widen mixing.snr_db"
        )
    return low, high


def _gain_to(level_dbfs: float, signal: Signal) -> np.float32:
    power = mean_power(signal)
    if power == 0:
        return np.float32(1)
    full_scale = 1 / float(np.abs(signal).max())
    return np.float32(min(10 ** (level_dbfs / 20) / math.sqrt(power), full_scale))
