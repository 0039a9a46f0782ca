"""Draw who ran when, under the spectrograms of the recording and of the estimate.

python examples/draw_routing.py [NOISY] [PICTURE] [--model NAME] [--top-hz HZ]   (needs matplotlib)
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from recording import made_up, read_whole

import smle
from smle_pedalboard import SparseExpertEnhancer

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.patches import Patch


def draw(
    noisy: NDArray[np.float32],
    clean: NDArray[np.float32],
    rate: float,
    routing: smle.Routing,
    path: Path,
    top_hz: float = 12_000,
) -> None:
    """Save a picture.

    Args:
        noisy: (channels, time); the first channel is drawn.
        clean: the same shape.
        rate: in Hz.
        routing: who ran when, for every channel.
        path: of the picture.
        top_hz: up to where spectra are drawn.
    """
    names = routing.expert_names
    palette = plt.get_cmap("tab20")
    colours = {name: palette(number % 20) for number, name in enumerate(names)}
    figure, (above, below, lanes) = plt.subplots(
        3, 1, sharex=True, figsize=(10, 7), height_ratios=[3, 3, 1], layout="constrained"
    )
    for axes, audio, title in ((above, noisy, "noisy"), (below, clean, "enhanced")):
        axes.specgram(audio[0] + 1e-9, NFFT=1024, Fs=rate, noverlap=512, vmin=-140, vmax=-40)
        axes.set(ylabel=f"{title}, Hz", ylim=(0, min(rate / 2, top_hz)))
    for lane, segments in enumerate(routing.segments):
        for segment in segments:
            lanes.broken_barh(
                [(segment.start_s, segment.stop_s - segment.start_s)],
                (lane - 0.4, 0.8),
                facecolor=colours[segment.expert],
                alpha=0.25 + 0.75 * segment.probability,  # faint where the gate was unsure
            )
    lanes.set(xlabel="seconds", ylabel="channel", yticks=range(len(routing.segments)))
    lanes.set_xlim(0, noisy.shape[1] / rate)
    handles = [Patch(color=colours[name], label=name) for name in names]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(names), 8))
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main(arguments: list[str] | None = None) -> None:
    """Enhance one file and draw it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("noisy", nargs="?", type=Path)
    parser.add_argument("picture", nargs="?", type=Path, default=Path("out/routing.png"))
    parser.add_argument("--model", default="default")
    parser.add_argument("--top-hz", type=float, default=12_000)
    options = parser.parse_args(arguments)

    options.picture.parent.mkdir(parents=True, exist_ok=True)
    noisy, rate = read_whole(options.noisy or made_up(options.picture.with_name("noisy.wav")))
    effect = SparseExpertEnhancer(options.model)
    clean = effect(noisy, rate)
    assert effect.routing is not None
    draw(noisy, clean, rate, effect.routing, options.picture, options.top_hz)
    print(f"{options.picture}: {effect.routing.switches} switches")


if __name__ == "__main__":
    main()
