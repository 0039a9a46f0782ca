"""Room responses without a microphone: shoebox rooms by the image source method."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from smle.errors import CorpusError

_SMALLEST_M, _LARGEST_M = np.array([2.5, 2.5, 2.3]), np.array([9.0, 7.0, 4.0])
_REVERBERATION_S = (0.15, 0.8)
_DISTANCE_M = (0.3, 2.5)
_FROM_WALLS_M = 0.3
# Later images are weak, and their number grows with the third power of the order.
_HIGHEST_ORDER = 24


def simulate_responses(
    count: int, *, seed: int, sample_rate: int = 16000
) -> list[NDArray[np.float32]]:
    """Simulate rooms of 2.5 to 9 m, a reverberation of 0.15 to 0.8 s, and a talker within 2.5 m.

    Allen & Berkley, "Image method for efficiently simulating small-room acoustics", 1979, as in
    the package pyroomacoustics. With the same seed the first rooms are the same, however many
    there are.

    Args:
        count: How many.
        seed: Of their sizes, walls and places.
        sample_rate: Samples per second of the responses.

    Returns:
        Responses (time,), the direct sound loudest.

    Raises:
        CorpusError: Rooms are wanted and pyroomacoustics is not installed.
    """
    if count == 0:
        return []
    try:
        import pyroomacoustics
    except ImportError:
        raise CorpusError(
            "simulated rooms need pyroomacoustics; install it with: pip install 'smle[rooms]'"
        ) from None
    responses = []
    for number in range(count):
        rng = np.random.default_rng(np.random.SeedSequence([seed, number]))
        size_m = rng.uniform(_SMALLEST_M, _LARGEST_M)
        absorption, order = _walls(rng, size_m)
        microphone, talker = _places(rng, size_m)
        room = pyroomacoustics.ShoeBox(
            size_m,
            fs=sample_rate,
            materials=pyroomacoustics.Material(absorption),
            max_order=order,
            air_absorption=True,
        )
        room.add_source(talker)
        room.add_microphone(microphone)
        room.compute_rir()
        response = np.asarray(room.rir[0][0], np.float32)
        responses.append(response / np.abs(response).max())
    return responses


def _walls(rng: np.random.Generator, size_m: NDArray[np.float64]) -> tuple[float, int]:
    """Absorption of energy by Sabine's formula, and reflections until the sound has died away."""
    reverberation_s = rng.uniform(*_REVERBERATION_S)
    volume = size_m.prod()
    surface = 2 * (volume / size_m).sum()
    absorption = min(0.161 * volume / (surface * reverberation_s), 0.95)
    order = int(np.ceil(343 * reverberation_s / size_m.min()))
    return absorption, min(order, _HIGHEST_ORDER)


def _places(
    rng: np.random.Generator, size_m: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    low, high = np.full(3, _FROM_WALLS_M), size_m - _FROM_WALLS_M
    microphone = rng.uniform(low, high)
    while True:
        direction = rng.standard_normal(3)
        distance_m = rng.uniform(*_DISTANCE_M)
        talker = microphone + distance_m * direction / np.linalg.norm(direction)
        if np.all((talker > low) & (talker < high)):
            return microphone, talker
