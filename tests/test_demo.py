"""The demo's recordings: made on the spot, the same every time."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import soundfile as sf


def test_the_demo_makes_the_same_recordings_every_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("espeakng_loader")
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "examples")
    demo = importlib.import_module("noisy_speech")
    for folder in ("one", "two"):
        demo.main(tmp_path / folder)
    for name, *_, sample_rate, channels in demo.RECORDINGS:
        info = sf.info(tmp_path / "one" / name)
        assert (info.samplerate, info.channels) == (sample_rate, channels)
        assert info.duration > 5
        first, second = (sf.read(tmp_path / folder / name)[0] for folder in ("one", "two"))
        assert first.tobytes() == second.tobytes()
