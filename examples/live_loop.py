"""Enhance live audio block by block: from a microphone, or from a file as if it were one.

python examples/live_loop.py [NOISY] [CLEAN] [--model NAME]
python examples/live_loop.py --microphone [--model NAME]        (headphones on; Ctrl-C ends)
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pedalboard import HighpassFilter
from pedalboard.io import AudioFile, AudioStream
from recording import made_up

from smle_pedalboard import Board, SparseExpertEnhancer

Signal = NDArray[np.float32]
BLOCK_S = 0.01


def loop(
    board: Board, read: Callable[[], Signal], write: Callable[[Signal], object], rate: float
) -> float:
    """Read, enhance and write until a read brings nothing.

    Args:
        board: what to run.
        read: gives the next block (channels, time).
        write: takes what came out, at first nothing.
        rate: in Hz.

    Returns:
        The longest time that the board took for a block, in seconds.
    """
    longest_s, missing, channels = 0.0, 0, 1
    while (block := read()).shape[1]:
        began = time.perf_counter()
        done = board(block, rate, reset=False)
        longest_s = max(longest_s, time.perf_counter() - began)
        write(done)
        missing += block.shape[1] - done.shape[1]
        channels = block.shape[0]
    while missing:  # what is still inside the board comes out after silence
        done = board(np.zeros((channels, missing), np.float32), rate, reset=False)
        write(done)
        missing -= done.shape[1]
    return longest_s


def from_microphone(board: Board) -> None:
    """Listen to the default microphone and play to the default output."""
    inputs, outputs = AudioStream.default_input_device_name, AudioStream.default_output_device_name
    if not inputs or not outputs:
        raise SystemExit("no microphone or no output device; give a file instead")
    with AudioStream(inputs, outputs, num_input_channels=1, num_output_channels=1) as stream:
        rate = stream.sample_rate
        block = round(BLOCK_S * rate)
        # Without samples everything is prepared, so that the first block need not wait.
        board(np.zeros((1, 0), np.float32), rate, reset=False)
        with suppress(KeyboardInterrupt):
            loop(board, lambda: stream.read(block), lambda done: stream.write(done, rate), rate)


def main(arguments: list[str] | None = None) -> None:
    """Run the loop on a microphone or a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("noisy", nargs="?", type=Path)
    parser.add_argument("clean", nargs="?", type=Path, default=Path("out/live.wav"))
    parser.add_argument("--microphone", action="store_true")
    parser.add_argument("--model", default="default")
    options = parser.parse_args(arguments)

    board = Board([HighpassFilter(70.0), SparseExpertEnhancer(options.model)])
    if options.microphone:
        from_microphone(board)
        return
    source = options.noisy or made_up(options.clean.with_name("noisy.wav"))
    options.clean.parent.mkdir(parents=True, exist_ok=True)
    with AudioFile(str(source)) as noisy:
        rate, channels = noisy.samplerate, noisy.num_channels
        block = round(BLOCK_S * rate)
        board(np.zeros((channels, 0), np.float32), rate, reset=False)
        with AudioFile(str(options.clean), "w", rate, channels) as clean:
            longest_s = loop(board, lambda: noisy.read(block), clean.write, rate)
    print(
        f"{options.clean}: blocks of {1e3 * BLOCK_S:.0f} ms took {1e3 * longest_s:.1f} ms at most"
    )


if __name__ == "__main__":
    main()
