"""Which signals go through the model together, padded to one length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

MOST_SAMPLES = 480 * 16_000
MOST_PADDING = 0.5


def padded_together(signals: Sequence[tuple[int, tuple[int, ...]]]) -> Iterator[list[int]]:
    """Bring signals of one rate and similar length together: padding costs little, but something.

    Args:
        signals: Rate in Hz and shape (channels, time) of each.

    Yields:
        Indices of signals that go together.

    >>> list(padded_together([(16000, (1, 90)), (16000, (1, 400)), (16000, (2, 100))]))
    [[0, 2], [1]]
    """
    together: list[int] = []
    rate_hz = rows = samples = 0
    for index in sorted(range(len(signals)), key=lambda i: (signals[i][0], signals[i][1][1])):
        own_rate_hz, (channels, frames) = signals[index]
        padded = (rows + channels) * frames
        real = samples + channels * frames
        fits = padded <= MOST_SAMPLES and padded <= real * (1 + MOST_PADDING)
        if together and not (own_rate_hz == rate_hz and fits):
            yield together
            together, rows, samples = [], 0, 0
        together.append(index)
        rate_hz = own_rate_hz
        rows += channels
        samples += channels * frames
    if together:
        yield together
