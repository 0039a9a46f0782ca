"""The enhancer: a loaded model that turns noisy signals into estimates of the clean ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smle.arrays.mixture import ArrayMixture, load_mixture
from smle.enhancement.beginning import beginning
from smle.enhancement.evidence import evidence
from smle.enhancement.routing import Routing
from smle.enhancement.streaming import Stream, check_values
from smle.errors import AudioError
from smle.model.folders import find_model
from smle.model.recipe import Recipe

Signal = NDArray[np.float32]

# More of them than samples, and the signal is given as (time, channels).
_MOST_CHANNELS = 64


@dataclass(frozen=True)
class Enhanced:
    """An estimate and how it came about.

    Args:
        audio: The estimate, shaped as the noisy signal was.
        routing: Who ran when.
    """

    audio: Signal
    routing: Routing


def load(name: str | Path = "default") -> Enhancer:
    """Load a model.

    Args:
        name: A bundled model's name, or the path of a model folder.

    Raises:
        ModelError: If there is no such model or it is broken.

    >>> enhancer = load()
    >>> enhancer(np.zeros(16_000, np.float32), 16_000).shape
    (16000,)
    """
    folder = find_model(name)
    return Enhancer(load_mixture(folder), folder)


class Enhancer:
    """Enhances signals of any rate and number of channels, each channel routed for itself.

    Args:
        mixture: Gate and experts.
        folder: Where the model came from.
    """

    def __init__(self, mixture: ArrayMixture, folder: Path) -> None:
        self.mixture = mixture
        self.folder = folder

    @property
    def recipe(self) -> Recipe:
        """What the model is."""
        return self.mixture.recipe

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.recipe.name

    @property
    def expert_names(self) -> tuple[str, ...]:
        """The specialists, then the generalist if the model carries one."""
        return self.mixture.expert_names

    def __call__(
        self,
        audio: NDArray[np.floating],
        sample_rate: int,
        *,
        route: str | int = "segment",
        atten_lim_db: float | None = None,
        hear_first: bool = False,
    ) -> Signal:
        """Enhance a signal.

        Args:
            audio: (channels, time) or (time,).
            sample_rate: In Hz, 4 kHz to 768 kHz.
            route: "segment" decides about every second, "file" once for the whole signal; or an
                expert's name or number.
            atten_lim_db: Most attenuation in dB; None for no limit.
            hear_first: Hear the first four seconds before enhancing begins, which a live stream
                cannot. Otherwise the first half second, where voice and noise are new, keeps more
                of the noise.

        Returns:
            The estimate, of the same shape, as float32.

        Raises:
            AudioError: If the signal or an option cannot be used.
        """
        return self.enhance(
            audio, sample_rate, route=route, atten_lim_db=atten_lim_db, hear_first=hear_first
        ).audio

    def enhance(
        self,
        audio: NDArray[np.floating],
        sample_rate: int,
        *,
        route: str | int = "segment",
        atten_lim_db: float | None = None,
        hear_first: bool = False,
    ) -> Enhanced:
        """Enhance a signal, and say who ran when (arguments as in calling)."""
        audio = np.asarray(audio)
        if audio.ndim not in (1, 2):
            raise AudioError(f"a signal of shape {audio.shape}; give (time,) or (channels, time)")
        if audio.ndim == 2 and len(audio) > max(_MOST_CHANNELS, audio.shape[1]):
            raise AudioError(
                f"a signal of shape {audio.shape} has more channels than samples; transpose it"
            )
        rows = np.atleast_2d(audio)
        (enhanced,) = self.enhance_batch(
            [rows], sample_rate, route=route, atten_lim_db=atten_lim_db, hear_first=hear_first
        )
        return Enhanced(enhanced.audio.reshape(audio.shape), enhanced.routing)

    def enhance_batch(
        self,
        audios: Sequence[NDArray[np.floating]],
        sample_rate: int,
        *,
        route: str | int = "segment",
        atten_lim_db: float | None = None,
        hear_first: bool = False,
    ) -> list[Enhanced]:
        """Enhance several signals of one rate at once; the results are those of one by one.

        Args:
            audios: Each (channels, time); signals of similar length waste the least.
            sample_rate: In Hz.
            route: As in calling.
            atten_lim_db: As in calling.
            hear_first: As in calling.

        Returns:
            One result for each signal, in order.
        """
        heard = [beginning(a, sample_rate) if hear_first else a[:, :0] for a in audios]
        alike: dict[int, list[int]] = defaultdict(list)
        for index, first in enumerate(heard):
            alike[first.shape[1]].append(index)
        results: dict[int, Enhanced] = {}
        for own in alike.values():
            together = self._enhance_alike(
                [audios[k] for k in own], [heard[k] for k in own], sample_rate, route, atten_lim_db
            )
            results |= zip(own, together, strict=True)
        return [results[index] for index in range(len(audios))]

    def pool_route(self, items: Iterable[tuple[NDArray[np.floating], int]]) -> str:
        """Choose one specialist for many signals, by the evidence of all of them together.

        Args:
            items: Signals (channels, time) with their rates.

        Returns:
            Name of the specialist whose logit is the largest on average over all frames.

        Raises:
            AudioError: If there is no signal.
        """
        total, frames = np.zeros(len(self.mixture.specialists)), 0
        for audio, sample_rate in items:
            if not np.size(audio):
                continue
            sums, count = self._evidence(audio, sample_rate)
            total, frames = total + sums.sum(0), frames + int(count.sum())
        if not frames:
            raise AudioError("there is nothing to hear in the folder; give files with samples")
        return self.expert_names[int(total.argmax())]

    def channel_routes(self, pieces: Iterable[tuple[NDArray[np.floating], int]]) -> list[int]:
        """Choose one specialist for each channel of a signal that comes in pieces.

        Args:
            pieces: At least one, (channels, time) with the rate.

        Returns:
            For each channel the number of the specialist whose logit is the largest on average
            over all frames.
        """
        total = sum(self._evidence(audio, sample_rate)[0] for audio, sample_rate in pieces)
        return [int(k) for k in np.argmax(total, 1)]

    def stream(
        self,
        sample_rate: int,
        channels: int,
        *,
        route: str | int | list[int] = "segment",
        atten_lim_db: float | None = None,
    ) -> Stream:
        """Begin a `smle.enhancement.streaming.Stream` for a signal that comes in blocks."""
        if route == "file":
            raise AudioError("route 'file' needs the whole file; choose segment or an expert")
        return Stream(self.mixture, sample_rate, channels, route=route, atten_lim_db=atten_lim_db)

    def _enhance_alike(
        self,
        audios: list[NDArray[np.floating]],
        heard: list[NDArray[np.floating]],
        sample_rate: int,
        route: str | int,
        atten_lim_db: float | None,
    ) -> list[Enhanced]:
        """Enhance signals of which as much is heard before they begin."""
        counts = [len(audio) for audio in audios]
        rows = _stack(audios)
        if not rows.size:
            return [Enhanced(np.zeros(a.shape, np.float32), _nobody(self, len(a))) for a in audios]
        lengths = np.repeat([audio.shape[1] for audio in audios], counts)
        by_row = self._choices(rows, lengths, sample_rate) if route == "file" else route
        stream = Stream(
            self.mixture,
            sample_rate,
            len(rows),
            route=by_row,
            atten_lim_db=atten_lim_db,
            lengths=lengths.tolist(),
        )
        if heard[0].size:
            stream.hear(np.concatenate(heard))
        fed = np.concatenate([stream.feed(rows), stream.flush()], 1)[:, stream.latency :]
        results, first = [], 0
        for audio, count in zip(audios, counts, strict=True):
            own = range(first, first + count)
            estimate = np.ascontiguousarray(fed[own.start : own.stop, : audio.shape[1]])
            results.append(Enhanced(estimate, stream.routing_of(own, audio.shape[1])))
            first += count
        return results

    def _evidence(
        self, audio: NDArray[np.floating], sample_rate: int
    ) -> tuple[NDArray[np.float64], NDArray[np.integer]]:
        rows = np.atleast_2d(np.asarray(audio, np.float32))
        check_values(rows)
        return evidence(self.mixture, rows, np.full(len(rows), rows.shape[1]), sample_rate)

    def _choices(self, rows: Signal, lengths: NDArray[np.integer], sample_rate: int) -> list[int]:
        sums, _ = evidence(self.mixture, rows, lengths, sample_rate)
        return [int(k) for k in sums.argmax(1)]


def _stack(audios: Sequence[NDArray[np.floating]]) -> Signal:
    rows = np.zeros((sum(len(a) for a in audios), max(a.shape[1] for a in audios)), np.float32)
    first = 0
    for audio in audios:
        with np.errstate(over="ignore"):  # what passes single precision is refused when it is fed
            rows[first : first + len(audio), : audio.shape[1]] = audio
        first += len(audio)
    return rows


def _nobody(enhancer: Enhancer, channels: int) -> Routing:
    return Routing(enhancer.expert_names, [[] for _ in range(channels)])
