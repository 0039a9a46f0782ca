"""Clean, compress and limit one recording, and bring it to the loudness of a podcast.

python examples/chain_on_a_file.py [NOISY] [CLEAN] [--model NAME]
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from loudness import integrated_loudness
from pedalboard import BrickwallLimiter, Compressor, Gain, HighpassFilter
from pedalboard.io import AudioFile
from recording import made_up, read_whole

from smle_pedalboard import Board, SparseExpertEnhancer

TARGET_LUFS, CEILING_DB = -16.0, -1.5


def main(arguments: list[str] | None = None) -> None:
    """Process one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("noisy", nargs="?", type=Path)
    parser.add_argument("clean", nargs="?", type=Path, default=Path("out/chain.wav"))
    parser.add_argument("--model", default="default")
    options = parser.parse_args(arguments)

    enhancer = SparseExpertEnhancer(options.model, atten_lim_db=30.0)
    compressor = Compressor(threshold_db=-22.0, ratio=3.0, attack_ms=5.0, release_ms=120.0)
    board = Board([HighpassFilter(70.0), enhancer, compressor, BrickwallLimiter(CEILING_DB)])

    source = options.noisy or made_up(options.clean.with_name("noisy.wav"))
    noisy, sample_rate = read_whole(source)
    clean = board(noisy, sample_rate)
    before_lufs = integrated_loudness(clean, int(sample_rate))

    # Silence stays silence; what the gain pushes above the ceiling, a second limiter holds back.
    gain_db = min(TARGET_LUFS - before_lufs, 40.0) if math.isfinite(before_lufs) else 0.0
    louder = Board([Gain(gain_db), BrickwallLimiter(CEILING_DB)])
    clean = louder(clean, sample_rate)
    options.clean.parent.mkdir(parents=True, exist_ok=True)
    with AudioFile(str(options.clean), "w", sample_rate, clean.shape[0], bit_depth=24) as file:
        file.write(clean)
    after_lufs = integrated_loudness(clean, int(sample_rate))
    print(f"{options.clean}: {before_lufs:.1f} -> {after_lufs:.1f} LUFS")
    assert enhancer.routing is not None
    print(f"mostly {enhancer.routing.dominant}")


if __name__ == "__main__":
    main()
