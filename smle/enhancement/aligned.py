"""A stream's answers beside what they answer: the latency taken out, the length kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from smle.enhancement.streaming import Stream

Signal = NDArray[np.float32]


def aligned(
    stream: Stream, blocks: Iterable[Signal], channels: int
) -> Iterator[tuple[Signal, Signal]]:
    """Feed a stream and pair every estimate with its noisy samples.

    Args:
        stream: A fresh stream.
        blocks: The noisy signal, in pieces of shape (channels, time).
        channels: How many rows they have.

    Yields:
        Pairs (noisy, estimate) of equal shape, which together are as long as the blocks.
    """
    waiting = np.zeros((channels, stream.latency), np.float32)
    early = stream.latency
    for block in blocks:
        waiting = np.concatenate([waiting, block], axis=1)
        estimate = stream.feed(block)
        noisy, waiting = waiting[:, : block.shape[1]], waiting[:, block.shape[1] :]
        drop = min(early, block.shape[1])
        early -= drop
        if drop < block.shape[1]:
            yield noisy[:, drop:], estimate[:, drop:]
    yield waiting[:, early:], stream.flush()[:, early:]
