"""The level meter, against the same computed from all frames at once."""

from __future__ import annotations

import numpy as np
import pytest

from smle.batch.levels import LevelMeter


@pytest.mark.parametrize("frames", [10, 37, 500])
def test_noise_removed_is_that_of_the_quietest_tenth(frames: int) -> None:
    rng = np.random.default_rng(frames)
    # Of 10 and 37 frames no two lie in one bin of half a decibel.
    levels_db = -rng.permutation(frames) * 90 / frames - 3
    noisy = rng.standard_normal((frames, 320)).astype(np.float32)
    noisy /= np.sqrt(np.square(noisy).mean(1, keepdims=True))
    noisy *= 10 ** (levels_db[:, None] / 20)
    estimate = noisy * 10 ** (-rng.uniform(5, 30, (frames, 1)) / 20)
    meter = LevelMeter(16_000)
    for noisy_part, estimate_part in zip(
        np.array_split(noisy.reshape(1, -1), 7, 1),
        np.array_split(estimate.reshape(1, -1), 7, 1),
        strict=True,
    ):
        meter.add(noisy_part.astype(np.float32), estimate_part.astype(np.float32))
    quietest = np.argsort(levels_db)
    shares = np.clip(frames / 10 - np.arange(frames), 0, 1)
    before, after = (
        (np.square(signal).mean(1)[quietest] * shares).sum() for signal in (noisy, estimate)
    )
    expected_db = 10 * np.log10(before / after)
    # Frames of one bin are not told apart, and each has its own estimate.
    assert meter.noise_removed_db == pytest.approx(expected_db, abs=0.05 if frames < 100 else 1.0)


def test_blocks_of_any_length_give_what_the_whole_gives() -> None:
    rng = np.random.default_rng(0)
    noisy = rng.standard_normal((2, 50_000)).astype(np.float32)
    whole, parts = LevelMeter(16_000), LevelMeter(16_000)
    whole.add(noisy, 0.1 * noisy)
    for start in range(0, 50_000, 777):
        piece = noisy[:, start : start + 777]
        parts.add(piece, 0.1 * piece)
    assert parts.noise_removed_db == pytest.approx(whole.noise_removed_db)
    assert parts.noisy_dbfs == pytest.approx(whole.noisy_dbfs)
    assert parts.noise_removed_db == pytest.approx(20.0)
