"""The whole signal path, causal, for signals that come in blocks of any size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from smle.arrays.mixture import ArrayMixture
from smle.arrays.spectral import ArrayFeatures, ArrayMeanState, ArrayStft
from smle.enhancement.bandwidth import HighBands
from smle.enhancement.masking import Route, RoutedMasker
from smle.enhancement.one_thread import one_thread
from smle.enhancement.routing import Routing
from smle.errors import AudioError

Signal = NDArray[np.float32]

# Frames that are transformed at once at most: of few rows long enough to be fast, of many few
# enough to bound memory.
_MAX_FRAMES, _MIN_FRAMES, _FRAMES_OF_ALL_ROWS = 250, 64, 4096
# A change from no attenuation to all of it, or back, takes this long to arrive.
_GLIDE_S = 0.064
# The level of what was heard first counts as this much of it would: it tells a pause from faint
# speech, and is soon outweighed where a signal begins more quietly than it goes on.
_HEARD_LEVEL_S = 0.125
# Powers of larger values would not fit into single precision.
_LARGEST = 1e12


class Stream:
    """Enhances a signal block by block; whole files go the same way, in large blocks.

    As many samples come out as go in, `latency` samples late. What is left inside at the end comes
    out of `flush`. However the signal is cut into blocks, the samples are the same.

    Args:
        mixture: Gate and experts.
        sample_rate: Of the signal in Hz.
        rows: How many signals run side by side, each routed for itself: channels, or files.
        route: "segment" for the gate's choices, or an expert's name or number for all rows, or one
            number for each row.
        atten_lim_db: Most attenuation in dB; None for no limit.
        lengths: Samples of each row, where some are over before others: what comes out behind
            them means nothing, and soon costs nothing.

    Raises:
        AudioError: If the rate or the number of rows cannot be enhanced.
    """

    def __init__(
        self,
        mixture: ArrayMixture,
        sample_rate: int,
        rows: int,
        *,
        route: str | int | list[int] = "segment",
        atten_lim_db: float | None = None,
        lengths: Sequence[int] | None = None,
    ) -> None:
        if rows < 1:
            raise AudioError(f"a signal of {rows} channels cannot be enhanced; give 1 or more")
        self._mixture = mixture
        self._rows = rows
        self.sample_rate = sample_rate
        self._stft = ArrayStft(mixture.recipe.spectral, sample_rate)
        self._features = ArrayFeatures(mixture.recipe.spectral)
        self._hop_s = self._stft.hop_length / sample_rate
        hop, last = self._stft.hop_length, self._stft.n_fft + self._stft.hop_length
        self._ends = None if lengths is None else [-(-(n + last) // hop) for n in lengths]
        self._route = route
        self._experts = self._fixed(route)
        self._samples = 0
        self.atten_lim_db = atten_lim_db
        self.reset()

    @property
    def latency(self) -> int:
        """Samples by which the output is late: one window."""
        return self._stft.n_fft

    @property
    def atten_lim_db(self) -> float | None:
        """Most attenuation in dB; None for no limit.

        A change glides in within 64 ms; before the first sample it is there at once.
        """
        return self._atten_lim_db

    @atten_lim_db.setter
    def atten_lim_db(self, value: float | None) -> None:
        if value is not None and not value >= 0:
            raise AudioError(f"an attenuation limit of {value} dB; give 0 or more, or none")
        self._atten_lim_db = value
        self._wanted_floor = 0.0 if value is None else 10 ** (-value / 20)
        if not self._samples:
            self._floor = self._wanted_floor

    @property
    def route(self) -> str | int | list[int]:
        """Who chooses: "segment" for the gate, or an expert.

        A change fades in; before anything was heard it is there at once.
        """
        return self._route

    @route.setter
    def route(self, value: str | int | list[int]) -> None:
        self._experts = self._fixed(value)
        self._route = value
        if self._samples or self._heard:
            self._masker.route = self._experts
        else:
            self.reset()

    @property
    def routing(self) -> Routing:
        """Who ran when, so far."""
        return self.routing_of(range(self._rows), self._samples)

    def routing_of(self, rows: range, samples: int) -> Routing:
        """Who ran when on some of the rows, for a signal of that many samples."""
        return self._masker.routing(rows, samples / self.sample_rate)

    def reset(self) -> None:
        """Forget everything that was heard."""
        self._masker = RoutedMasker(
            self._mixture, self._rows, self._experts, self._hop_s, self._ends
        )
        bins, hz_per_bin = self._stft.n_fft // 2 + 1, self.sample_rate / self._stft.n_fft
        heard_hz = self._mixture.recipe.spectral.sample_rate / 2
        self._high_bands = HighBands(bins, hz_per_bin, heard_hz, self._hop_s, self._rows)
        self._floor = self._wanted_floor
        self._heard = self._hearing = False
        self._begin(self._features.start(self._rows))

    def hear(self, signal: NDArray[np.floating]) -> None:
        """Hear a signal that is not to be enhanced, before the first sample of the one that is.

        Gate and experts then know voice and noise, where otherwise the first half second teaches
        them. How loud it was counts for little, and `reset` forgets all of it.

        Args:
            signal: (rows, samples), such as the first seconds of what is enhanced next
                (`smle.enhancement.beginning`), or room tone; all at once or, call by call, in
                blocks.

        Raises:
            AudioError: As from `feed`, or if the stream has begun.
        """
        if self._samples:
            raise AudioError("the stream has begun; let it hear a signal before, or reset it")
        block = self._checked(signal)
        self._masker.ends = None  # which are those of the signal that comes next
        self._heard = self._hearing = True
        self._advance(block)

    def _hear_no_more(self) -> None:
        """Begin the signal that is enhanced."""
        self._hearing = False
        self._masker.ends = self._ends
        self._masker.begin()
        self._begin(self._features.brief(self._level, round(_HEARD_LEVEL_S / self._hop_s)))

    def _begin(self, level: ArrayMeanState) -> None:
        self._level = level
        self._tail = self._stft.empty_tail(self._rows)
        self._waiting = np.zeros((self._rows, self._stft.overlap), np.float32)
        # Each frame finishes the hop at its begin, so the first hops are the zeros before the
        # signal; with these in front, exactly as much comes out as goes in.
        delay = self.latency - self._stft.overlap
        self._ready = np.zeros((self._rows, delay), np.float32)
        self._samples = 0

    def feed(self, block: NDArray[np.floating]) -> Signal:
        """Enhance a block.

        Args:
            block: (rows, samples), any number of samples.

        Returns:
            As many samples (rows, samples), `latency` samples late.

        Raises:
            AudioError: If the block has another shape, or values that `check_values` refuses.
        """
        block = self._checked(block)
        if self._hearing:
            self._hear_no_more()
        self._samples += block.shape[1]
        return self._advance(block)

    def flush(self) -> Signal:
        """The last `latency` samples (rows, latency); `reset` before another signal."""
        samples = self._samples
        rest = self.feed(np.zeros((self._rows, self.latency), np.float32))
        self._samples = samples
        return rest

    def _checked(self, block: NDArray[np.floating]) -> Signal:
        with np.errstate(over="ignore"):  # what passes single precision is refused just below
            block = np.asarray(block, np.float32)
        if block.ndim != 2 or block.shape[0] != self._rows:
            raise AudioError(
                f"a block of shape {block.shape} for {self._rows} channels; give (channels, time)"
            )
        check_values(block)
        return block

    def _advance(self, block: Signal) -> Signal:
        count = block.shape[1]
        self._waiting = np.concatenate([self._waiting, block], 1)
        hop = self._stft.hop_length
        frames = (self._waiting.shape[1] - self._stft.overlap) // hop
        done = [self._ready]
        most = min(_MAX_FRAMES, max(_MIN_FRAMES, _FRAMES_OF_ALL_ROWS // self._rows))
        for first in range(0, frames, most):
            stop = min(frames, first + most)
            part = self._waiting[:, first * hop : stop * hop + self._stft.overlap]
            with one_thread:
                done.append(self._enhance(part))
        if frames:
            self._waiting = self._waiting[:, frames * hop :].copy()
        ready = np.concatenate(done, 1) if len(done) > 1 else self._ready
        self._ready = ready[:, count:].copy()  # not a view, which would keep all of it
        return np.ascontiguousarray(ready[:, :count])

    def _enhance(self, signal: Signal) -> Signal:
        spectrum = self._stft.analyse(signal)  # (rows, frames, bins)
        features, self._level = self._features(spectrum, self._level)
        mask = self._high_bands(self._masker(features), spectrum)
        floor = self._glide(spectrum.shape[1])
        if floor is not None:
            mask = floor + (1 - floor) * mask
        signal, self._tail = self._stft.synthesise(mask * spectrum, self._tail)
        return signal

    def _glide(self, frames: int) -> Signal | None:
        """The share of noisy signal that stays, for each frame (frames, 1)."""
        if self._floor == self._wanted_floor:
            return np.full((1, 1), self._floor, np.float32) if self._floor else None
        # At a steady pace, so that it does not matter how many frames come at once.
        steps = np.arange(1, frames + 1) * (self._hop_s / _GLIDE_S)
        floor = np.clip(self._wanted_floor, self._floor - steps, self._floor + steps)
        self._floor = float(floor[-1])
        return np.asarray(floor[:, None], np.float32)

    def _fixed(self, route: str | int | list[int]) -> Route:
        if route == "segment":
            return None
        names = self._mixture.expert_names
        if not isinstance(route, list):
            return [expert_number(names, route)] * self._rows
        if len(route) != self._rows:
            raise AudioError(f"{len(route)} routes for {self._rows} channels; give one for each")
        return [expert_number(names, own) for own in route]


def check_values(signal: NDArray[np.floating]) -> None:
    """Refuse values that no recording has, before one of them spoils a stream for good.

    Raises:
        AudioError: If a value is not finite, or beyond 1e12 (full scale is 1, or 2^31 in files of
            floats that were integers once).

    >>> check_values(np.array([0.5, np.nan]))
    Traceback (most recent call last):
    smle.errors.AudioError: the signal holds values that are not finite; repair it first
    """
    if (np.abs(signal) <= _LARGEST).all():
        return
    what = f"as large as {_LARGEST:.0e}" if np.isfinite(signal).all() else "that are not finite"
    raise AudioError(f"the signal holds values {what}; repair it first")


def expert_number(names: tuple[str, ...], route: str | int) -> int:
    """Number of the expert that a route names.

    Args:
        names: All experts.
        route: A name, or a number from 0 (as a number or in digits).

    Raises:
        AudioError: If there is no such expert.

    >>> expert_number(("low", "high"), "high"), expert_number(("low", "high"), "0")
    (1, 0)
    """
    if route in names:
        return names.index(str(route))
    text = str(route)
    if text.isdecimal() and int(text) < len(names):
        return int(text)
    raise AudioError(
        f"no expert {route!r} here; choose segment, a number below {len(names)}, "
        f"or one of {', '.join(names)}"
    )
