"""What pedalboard asks of an effect: one call, its arguments, and how latency is compensated."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Audio: TypeAlias = NDArray[np.float32]
InputAudio: TypeAlias = NDArray[np.float32] | NDArray[np.float64]

DEFAULT_BUFFER_SIZE = 8192
LONGEST_LATENCY_S = 10.0
SHORTEST_PAUSE_S = 0.1


class Effect(Protocol):
    """An effect that speaks pedalboard's protocol, native or written in Python."""

    @property
    def is_effect(self) -> bool:
        """True if the effect takes audio in."""

    def process(
        self,
        input_array: Audio,
        sample_rate: float,
        buffer_size: int = DEFAULT_BUFFER_SIZE,
        reset: bool = True,
    ) -> Audio:
        """Run audio through the effect.

        A board calls it with `reset=False` even for whole files: it then gives fewer samples at
        first, by its latency, never the zeros of its delay, and is fed silence at the end.

        Args:
            input_array: (channels, time); without samples, it lets the effect prepare.
            sample_rate: in Hz.
            buffer_size: largest internal block, in samples.
            reset: whether to begin anew, and to give as many samples as came.

        Returns:
            (channels, time).
        """

    def reset(self) -> None:
        """Forget all audio and the channel layout; keep the parameters."""


def check_call(input_array: Any, sample_rate: Any, buffer_size: Any) -> None:
    """Refuse what a native plugin refuses, in pedalboard's words where it has any of its own.

    Args:
        input_array: what the caller gave as audio.
        sample_rate: in Hz.
        buffer_size: samples per internal block.

    Raises:
        TypeError: for anything but a float32 or float64 NumPy array, or numbers of another kind.
        ValueError: for a buffer that holds no sample, and a rate that is none (a native plugin
            would hang for ever, or end the process).
    """
    if not isinstance(input_array, np.ndarray):
        raise TypeError(
            "process(): incompatible function arguments. input_array must be a numpy.ndarray, "
            f"not {type(input_array).__name__}."
        )
    if not isinstance(sample_rate, int | float | np.number):
        raise TypeError(
            "process(): incompatible function arguments. sample_rate must be a number, "
            f"not {type(sample_rate).__name__}."
        )
    if not isinstance(buffer_size, int | np.integer):
        raise TypeError(
            "process(): incompatible function arguments. buffer_size must be an int, "
            f"not {type(buffer_size).__name__}."
        )
    if not 0 < sample_rate < math.inf:
        raise ValueError(f"sample_rate is {sample_rate}: give a number of Hz above 0.")
    if buffer_size < 1:
        raise ValueError(f"buffer_size is {buffer_size}: give at least 1 sample.")
    if input_array.dtype.char not in "fd":
        raise TypeError(
            "Pedalboard only supports 32-bit and 64-bit floating point audio for processing."
        )


def with_tail(
    run: Callable[[Audio], Audio], audio: Audio, latency: int, sample_rate: float
) -> Audio:
    """Run audio, followed by silence until as many samples came out as went in.

    Args:
        run: a chain that gives back fewer samples than it got while it fills its delay.
        audio: (channels, time).
        latency: silence to feed along with the audio; more follows if that was not enough.
        sample_rate: in Hz.

    Returns:
        (channels, time): latency removed, tail complete.

    Raises:
        RuntimeError: if nothing more comes out within 10 s of silence.
    """
    channels, length = audio.shape
    fed = np.concatenate([audio, np.zeros((channels, latency), np.float32)], axis=1)
    pieces = [run(fed)]
    missing = length - pieces[0].shape[1]
    waited, pause = 0, math.ceil(SHORTEST_PAUSE_S * sample_rate)
    while missing > 0:
        if waited > LONGEST_LATENCY_S * sample_rate:
            raise RuntimeError(
                f"{missing} samples never came out of the chain: an effect must give as many "
                "samples as it gets, late by its latency."
            )
        silence = max(missing, pause)
        pieces.append(run(np.zeros((channels, silence), np.float32)))
        missing -= pieces[-1].shape[1]
        waited, pause = (0, pause) if pieces[-1].size else (waited + silence, 2 * pause)
    return np.concatenate(pieces, axis=1)[:, :length]
