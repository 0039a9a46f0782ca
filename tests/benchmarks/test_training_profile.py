from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import training_profile


def test_every_way_to_mix_has_its_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for folder in ("speech/train", "noise/train", "rir"):
        (tmp_path / folder).mkdir(parents=True)
        for take in range(3):
            signal = 0.1 * rng.standard_normal(8000) * np.exp(-np.arange(8000) / 2000)
            sf.write(tmp_path / folder / f"{take}.wav", signal, 16000)
    options = ["--updates", "16", "--hidden-size", "4"]
    monkeypatch.setattr(sys, "argv", ["training_profile.py", str(tmp_path), *options])
    training_profile.main()
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["all augmentation", "one noise"]
    for line in lines[2:]:
        loading, network, waiting, update = (float(cell) for cell in line.split("|")[2:-1])
        assert loading > 0
        assert network > 0
        assert waiting <= update
