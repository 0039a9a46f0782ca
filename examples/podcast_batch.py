"""Clean all recordings of a folder with one board, in chunks, so that length costs no memory.

python examples/podcast_batch.py [NOISY_FOLDER] [CLEAN_FOLDER] [--model NAME] [--sample-rate HZ]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from pedalboard import HighpassFilter, NoiseGate
from pedalboard.io import AudioFile, get_supported_read_formats
from recording import made_up

import smle
from smle_pedalboard import Board, SparseExpertEnhancer

CHUNK_S = 10


def process(board: Board, source: Path, target: Path, sample_rate: int | None) -> float:
    """Run one file through the board.

    Args:
        board: reset before the file begins.
        source: any format that pedalboard reads.
        target: a WAV file.
        sample_rate: in Hz; None keeps the source's.

    Returns:
        Seconds of audio.
    """
    board.reset()
    with AudioFile(str(source)) as opened:
        rate = sample_rate or int(opened.samplerate)
        noisy = opened.resampled_to(rate)
        with AudioFile(str(target), "w", rate, noisy.num_channels, bit_depth=24) as clean:
            missing = frames = 0
            while (chunk := noisy.read(CHUNK_S * rate)).shape[1]:
                done = board(chunk, rate, reset=False)
                clean.write(done)
                frames += chunk.shape[1]
                missing += chunk.shape[1] - done.shape[1]
            while missing:  # what is still inside the board comes out after silence
                done = board(np.zeros((noisy.num_channels, missing), np.float32), rate, reset=False)
                clean.write(done)
                missing -= done.shape[1]
    return frames / rate


def main(arguments: list[str] | None = None) -> None:
    """Process a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("noisy", nargs="?", type=Path)
    parser.add_argument("clean", nargs="?", type=Path, default=Path("out/podcast"))
    parser.add_argument("--model", default="default")
    parser.add_argument("--sample-rate", type=int)
    options = parser.parse_args(arguments)

    folder = options.noisy or options.clean.with_name("noisy")
    if not options.noisy:
        made_up(folder / "guest.wav", seconds=4.0, sample_rate=44_100)
        made_up(folder / "host.wav", seconds=3.0, sample_rate=48_000)
    board = Board([HighpassFilter(70.0), SparseExpertEnhancer(options.model), NoiseGate(-60.0)])
    options.clean.mkdir(parents=True, exist_ok=True)
    for source in sorted(folder.iterdir()):
        if source.suffix.lower() in get_supported_read_formats():
            target = options.clean / f"{source.name}.wav"
            try:
                seconds = process(board, source, target, options.sample_rate)
            except (smle.SmleError, ValueError) as error:
                target.unlink(missing_ok=True)
                print(f"{source}: {error}")
            else:
                print(f"{target}: {seconds:.1f} s")


if __name__ == "__main__":
    main()
