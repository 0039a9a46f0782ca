"""Move the parameters of the enhancer while audio runs, as a mixing desk would.

python examples/automation.py [NOISY] [CLEAN] [--model NAME]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from pedalboard.io import AudioFile
from recording import made_up

from smle_pedalboard import SparseExpertEnhancer

STEP_S = 0.01


def automate(effect: SparseExpertEnhancer, part: float) -> None:
    """Set the parameters for a place in the recording.

    Args:
        effect: the effect to move.
        part: 0 at the beginning to 1 at the end.
    """
    effect.mix = min(1.0, 4 * part)  # fade from the recording to the estimate
    effect.atten_lim_db = 9.0 if 0.5 <= part < 0.75 else None  # let the room be heard for a while
    effect.route = effect.expert_names[0] if part >= 0.75 else "segment"  # one expert to the end


def main(arguments: list[str] | None = None) -> None:
    """Process one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("noisy", nargs="?", type=Path)
    parser.add_argument("clean", nargs="?", type=Path, default=Path("out/automation.wav"))
    parser.add_argument("--model", default="default")
    options = parser.parse_args(arguments)

    effect = SparseExpertEnhancer(options.model, mix=0.0)
    source = options.noisy or made_up(options.clean.with_name("noisy.wav"))
    options.clean.parent.mkdir(parents=True, exist_ok=True)
    with AudioFile(str(source)) as noisy:
        rate, channels = noisy.samplerate, noisy.num_channels
        with AudioFile(str(options.clean), "w", rate, channels) as clean:
            while noisy.tell() < noisy.frames:
                automate(effect, noisy.tell() / noisy.frames)
                block = noisy.read(round(STEP_S * rate))
                clean.write(effect(block, rate, reset=False))
            while missing := noisy.frames - clean.tell():  # what is still inside the effect
                silence = np.zeros((channels, missing), np.float32)
                clean.write(effect(silence, rate, reset=False))
    if effect.routing:
        names = [segment.expert for segment in effect.routing.segments[0]]
        print(f"{options.clean}: {' > '.join(names)}")


if __name__ == "__main__":
    main()
