"""The enhancer as an effect that speaks pedalboard's protocol."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import smle
from smle.enhancement.streaming import check_values
from smle_pedalboard.dry_wet import DryWet
from smle_pedalboard.layout import ChannelLayout
from smle_pedalboard.locks import locked
from smle_pedalboard.protocol import (
    DEFAULT_BUFFER_SIZE,
    Audio,
    InputAudio,
    check_call,
    with_tail,
)

if TYPE_CHECKING:
    from smle.enhancement.enhancer import Enhancer
    from smle.enhancement.routing import Routing
    from smle.enhancement.streaming import Stream


class SparseExpertEnhancer:
    """Removes noise from speech, as an effect for `Board` or on its own.

    It is called like any pedalboard plugin. All parameters may be changed while audio runs, from
    any thread: they take effect with the next block of `buffer_size` samples, without a click,
    and at once before the first one.

    >>> import numpy as np
    >>> effect = SparseExpertEnhancer(atten_lim_db=20.0)
    >>> effect(np.zeros((2, 48000), np.float32), 48000).shape
    (2, 48000)
    """

    # As on a native plugin, a misspelt parameter is an AttributeError.
    __slots__ = (
        "__weakref__",
        "_atten_lim_db",
        "_dry_wet",
        "_enhancer",
        "_layout",
        "_mix",
        "_model",
        "_route",
        "_spec",
        "_stream",
        "_to_drop",
        "_whole",
    )

    def __init__(
        self,
        model: str | Path | Enhancer = "default",
        route: str | int = "segment",
        atten_lim_db: float | None = None,
        mix: float = 1.0,
    ) -> None:
        """Load the model now, so that no block of live audio has to wait for it.

        Args:
            model: name of a bundled model, a model folder, or a loaded enhancer to share.
            route: "segment" lets the gate choose over time; an expert's name or number fixes it.
            atten_lim_db: attenuate by at most so many dB, 0 or more; None sets no limit.
            mix: 0 (dry, delayed) to 1 (enhanced).

        Raises:
            SmleError: if the model cannot be loaded.
            ValueError: if a parameter is out of range.
        """
        self._model = model
        self._enhancer = smle.load(model) if isinstance(model, str | Path) else model
        self.route = route
        self.atten_lim_db = atten_lim_db
        self.mix = mix
        self._layout = ChannelLayout()
        self._stream: Stream | None = None
        self._spec: tuple[int, int] | None = None
        # Channels and samples of a signal that came whole: the silence after it does not count.
        self._whole: tuple[int, int] | None = None

    @property
    def is_effect(self) -> bool:
        """True: it takes audio in."""
        return True

    @property
    def is_instrument(self) -> bool:
        """False: it plays no notes."""
        return False

    @property
    def route(self) -> str:
        """Who enhances: "segment" (the gate chooses over time) or an expert's name or number."""
        return self._route

    @route.setter
    def route(self, value: str | int) -> None:
        route, names = str(value), self.expert_names
        if route not in ("segment", *names, *map(str, range(len(names)))):
            raise ValueError(
                f"route is {route!r}: give segment, {', '.join(names)} or a number "
                f"below {len(names)}."
            )
        self._route = route

    @property
    def atten_lim_db(self) -> float | None:
        """Largest attenuation in dB, 0 or more; None sets no limit."""
        return self._atten_lim_db

    @atten_lim_db.setter
    def atten_lim_db(self, limit: float | None) -> None:
        if limit is not None and not limit >= 0.0:
            raise ValueError(f"atten_lim_db is {limit}: give 0 dB or more, or None for no limit.")
        self._atten_lim_db = None if limit is None else float(limit)

    @property
    def mix(self) -> float:
        """Share of the enhanced audio, 0.0 to 1.0; the rest is the delayed input."""
        return self._mix

    @mix.setter
    def mix(self, mix: float) -> None:
        if not 0.0 <= mix <= 1.0:
            raise ValueError("Mix must be between 0.0 and 1.0.")
        self._mix = float(mix)

    @property
    def expert_names(self) -> tuple[str, ...]:
        """The experts that `route` may name."""
        return self._enhancer.expert_names

    @property
    def reported_latency_samples(self) -> int | None:
        """Samples by which the output lags at the last sample rate; None before any call.

        A call without samples, `effect.process(np.zeros((2, 0)), 48000, reset=False)`, is enough.
        """
        return None if self._stream is None else self._stream.latency

    @property
    def routing(self) -> Routing | None:
        """Which expert ran when since the last reset, and how surely; None before any call.

        Asked from another thread, it waits for a call that is running, but lets none wait.
        """
        with locked([self]):
            stream, whole = self._stream, self._whole
        if stream is None:
            return None
        if whole is None:
            return stream.routing
        return stream.routing_of(range(whole[0]), whole[1])

    def process(
        self,
        input_array: InputAudio,
        sample_rate: float,
        buffer_size: int = DEFAULT_BUFFER_SIZE,
        reset: bool = True,
    ) -> Audio:
        """Enhance audio.

        Args:
            input_array: float32 or float64; (time,), (channels, time) or (time, channels).
            sample_rate: in Hz.
            buffer_size: samples per block; parameters are read once a block.
            reset: True starts anew and gives as many samples as it got, latency removed.
                False continues: the first calls give `reported_latency_samples` fewer in all, and
                the tail comes out by feeding as many zeros.

        Returns:
            A new float32 array in the layout of the input.

        Raises:
            TypeError: if the input is no float32 or float64 array.
            ValueError: if buffer_size is below 1 or sample_rate is not a whole number.
            RuntimeError: if the channel layout is ambiguous.
            AudioError: if the rate is none from 4 to 768 kHz, or a value is no sample; the
                stream is then as it was before the call.
        """
        check_call(input_array, sample_rate, buffer_size)
        if not float(sample_rate).is_integer():
            raise ValueError(f"sample_rate is {sample_rate} Hz: give a whole number.")
        with locked([self]):
            layout = copy.copy(self._layout)  # kept once nothing is refused any more
            audio = layout.read(input_array)
            check_values(audio)
            if audio.shape[0]:
                spec = (int(sample_rate), audio.shape[0])
                if reset or spec != self._spec:
                    self._start(*spec)
                    if not audio.shape[1]:
                        self._warm_up(*spec)
                self._whole = audio.shape if reset else None

                def run(part: Audio) -> Audio:
                    return self._run(part, buffer_size)

                audio = with_tail(run, audio, self._to_drop, sample_rate) if reset else run(audio)
            self._layout = layout
            return layout.write(audio, input_array.ndim)

    __call__ = process

    def reset(self) -> None:
        """Forget all audio and the channel layout; keep the parameters."""
        with locked([self]):
            self._layout.forget()
            if self._spec is not None:
                self._start(*self._spec)

    def _start(self, sample_rate: int, channels: int) -> None:
        self._stream = self._enhancer.stream(
            sample_rate, channels, route=self._route, atten_lim_db=self._atten_lim_db
        )
        self._spec = (sample_rate, channels)  # after the stream, which refuses what it cannot do
        self._whole = None
        self._dry_wet = DryWet(channels, self._stream.latency, sample_rate)
        self._to_drop = self._stream.latency

    def _warm_up(self, sample_rate: int, channels: int) -> None:
        """Do now what a process does once, so that the first block of live audio need not wait."""
        assert self._stream is not None
        self._stream.feed(np.zeros((channels, self._stream.latency), np.float32))
        self._start(sample_rate, channels)

    def _run(self, audio: Audio, buffer_size: int) -> Audio:
        """Enhance block by block; the first `latency` samples that come out are not audio."""
        assert self._stream is not None
        output = np.empty_like(audio)
        for start in range(0, audio.shape[1], buffer_size):
            block = audio[:, start : start + buffer_size]
            if self._stream.route != self._route:
                self._stream.route = self._route
            if self._stream.atten_lim_db != self._atten_lim_db:
                self._stream.atten_lim_db = self._atten_lim_db
            wet = self._stream.feed(block)
            output[:, start : start + buffer_size] = self._dry_wet(block, wet, self._mix)
        dropped = min(self._to_drop, audio.shape[1])
        self._to_drop -= dropped
        return output[:, dropped:]

    def __repr__(self) -> str:
        """Return the parameters; pedalboard's refusal of a Python effect quotes this line."""
        named = isinstance(self._model, str | Path)
        model = str(self._model) if named else self._enhancer.name
        return (
            f"<smle_pedalboard.SparseExpertEnhancer model={model!r} "
            f"route={self._route!r} atten_lim_db={self._atten_lim_db} mix={self._mix} "
            f"at 0x{id(self):x}, to be chained on a smle_pedalboard.Board>"
        )

    def __reduce__(self) -> tuple[type[SparseExpertEnhancer], tuple[object, ...]]:
        """Pickle the model's name and the parameters; audio state is not kept."""
        parameters = (self._model, self._route, self._atten_lim_db, self._mix)
        return type(self), parameters
