"""The enhancer earns its place in a chain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pedalboard import BrickwallLimiter, Compressor, HighpassFilter, Pedalboard
from pedalboard.io import AudioFile

from smle.model.folders import find_model
from smle_pedalboard import Board, SparseExpertEnhancer


def test_speech_is_rated_higher_with_the_enhancer_first_in_the_chain(shared_data: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("speechmos")
    from smle.evaluation.dnsmos import dnsmos

    if not (find_model("default") / "scores.json").is_file():
        pytest.skip("the default model has not been scored yet")
    chain = [HighpassFilter(70.0), Compressor(-22.0, 3.0), BrickwallLimiter(-1.5)]
    without, board = Pedalboard(chain), Board([SparseExpertEnhancer(), *chain])
    gains = []
    for path in sorted((shared_data / "pairs/dev/noisy").glob("*_snr+05.flac"))[::12]:
        with AudioFile(str(path)) as file:
            noisy, rate = file.read(file.frames), int(file.samplerate)
        ratings = [dnsmos(plugin(noisy, rate)[0], rate)[2] for plugin in (board, without)]
        gains.append(ratings[0] - ratings[1])
    assert len(gains) >= 2
    assert np.mean(gains) > 0.1
