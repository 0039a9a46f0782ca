"""Hear two models on the same words: each alone, and taking turns at equal loudness.

python examples/compare_models.py [NOISY] [--out FOLDER] [--a NAME] [--b NAME]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from loudness import integrated_loudness
from numpy.typing import NDArray
from pedalboard.io import AudioFile
from recording import made_up, read_whole

import smle
from smle_pedalboard import SparseExpertEnhancer

TURN_S, FADE_S = 2.0, 0.02


def take_turns(
    a: NDArray[np.float32], b: NDArray[np.float32], sample_rate: float
) -> NDArray[np.float32]:
    """Alternate between two aligned signals every 2 s, without a click.

    Args:
        a: (channels, time), heard first.
        b: the same shape.
        sample_rate: in Hz.

    Returns:
        (channels, time).
    """
    phase = (np.arange(a.shape[1]) / sample_rate + FADE_S / 2) / TURN_S
    # A triangle wave over two turns, steep enough to be clipped to turns with short ramps.
    triangle = 2 * np.abs((phase - 0.5) % 2 - 1) - 1
    share = np.clip(0.5 + triangle * TURN_S / FADE_S / 2, 0, 1)
    return np.asarray(share * a + (1 - share) * b, np.float32)


def main(arguments: list[str] | None = None) -> None:
    """Compare two models on one file."""
    names = list(smle.bundled_models()) or ["default"]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("noisy", nargs="?", type=Path)
    parser.add_argument("--out", type=Path, default=Path("out/compare"))
    parser.add_argument("--a", default=names[0])
    parser.add_argument("--b", default=names[-1])
    options = parser.parse_args(arguments)

    noisy, rate = read_whole(options.noisy or made_up(options.out / "noisy.wav"))
    options.out.mkdir(parents=True, exist_ok=True)
    estimates = {}
    for letter, model in (("a", options.a), ("b", options.b)):
        effect = SparseExpertEnhancer(model)
        estimates[letter] = effect(noisy, rate)
        assert effect.routing is not None
        print(f"{letter}: {model}, mostly {effect.routing.dominant}")
    loudness = {x: integrated_loudness(audio, int(rate)) for x, audio in estimates.items()}
    louder_db = loudness["b"] - loudness["a"]
    if not np.isfinite(louder_db):
        louder_db = 0.0  # at least one of them is silent
    estimates["b"] *= np.float32(10 ** (-louder_db / 20))
    estimates["turns"] = take_turns(estimates["a"], estimates["b"], rate)
    for name, audio in estimates.items():
        with AudioFile(str(options.out / f"{name}.wav"), "w", rate, audio.shape[0]) as file:
            file.write(audio)
    print(f"{options.out}: b was {louder_db:+.1f} dB louder than a; turns.wav has them equal")


if __name__ == "__main__":
    main()
