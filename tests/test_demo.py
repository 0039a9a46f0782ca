"""The demo's recordings: made on the spot, with the rate, channels and SNR that it lists."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from smle.material.mixing import snr_db_of


def test_the_demo_makes_what_it_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("espeakng_loader")
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "examples")
    demo = importlib.import_module("noisy_speech")
    said = {}
    say = demo.Voice.say

    def keep(voice: object, *how: object) -> np.ndarray:
        said.setdefault(how, say(voice, *how))
        return said[how]

    monkeypatch.setattr(demo.Voice, "say", keep)
    demo.main(tmp_path)
    for name, speaker, pitch, text, _, snr_db, sample_rate, channels in demo.RECORDINGS:
        audio, rate = sf.read(tmp_path / name, dtype="float32", always_2d=True)
        assert (rate, audio.shape[1]) == (sample_rate, channels)
        clean = said[text, speaker, pitch, sample_rate]
        assert len(audio) == len(clean) > 5 * sample_rate
        if name.endswith((".wav", ".flac")):
            gain = np.dot(audio[:, 0], clean) / np.dot(clean, clean)
            noise = audio[:, 0] / gain - clean
            assert snr_db_of(clean, noise, sample_rate=rate) == pytest.approx(snr_db, abs=0.5)
