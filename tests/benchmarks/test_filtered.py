from __future__ import annotations

import sys
from pathlib import Path

import filtered
import numpy as np
import pytest

from smle.files.audio_writer import write
from tests.speech_like import RATE_HZ, noise_like, speech_like


def test_filters_pass_what_they_name() -> None:
    hertz = np.fft.rfftfreq(16_000, 1 / RATE_HZ)
    impulse = np.zeros(16_000, np.float32)
    impulse[8_000] = 1
    for name, low_hz, high_hz in (
        ("to 48 kHz and back", 0, 7_200),
        ("nothing below 300 Hz", 330, 8_000),
        ("a telephone, 300 to 3400 Hz", 330, 3_370),
    ):
        gains = np.abs(np.fft.rfft(filtered.FILTERS[name](impulse)))
        inside = (hertz >= low_hz) & (hertz <= high_hz)
        assert gains[inside] == pytest.approx(1, abs=0.05), name
        far = (hertz < low_hz - 60) | (hertz > high_hz + 800)
        assert (gains[far] < 0.01).all(), name


def test_an_enhancer_that_is_a_gain_loses_nothing_and_a_deaf_one_does() -> None:
    clean = speech_like(1.0, 0).astype(np.float32)
    noisy = clean + noise_like(1.0, 9).astype(np.float32)
    cut = filtered.FILTERS["nothing below 300 Hz"]

    def deaf(signal: np.ndarray) -> np.ndarray:
        """Take the noise only from what has its lows still."""
        low = np.abs(np.fft.rfft(signal))[:250].mean() > 10
        return clean if low else signal

    for enhance, cost_is_clear in ((lambda signal: 0.5 * signal, False), (deaf, True)):
        before_db, after_db = filtered.scores_db(enhance, cut, [(noisy, clean)], [enhance(noisy)])[
            0
        ]
        assert (after_db - before_db > 10) == cost_is_clear


def test_the_table_has_a_row_for_each_filter(tmp_path: Path, monkeypatch, capsys) -> None:
    for role, noise in (("clean", 0.0), ("noisy", 1.0)):
        (tmp_path / role).mkdir()
        signal = speech_like(1.0, 0) + noise * noise_like(1.0, 9)
        write(tmp_path / role / "a.wav", signal[None].astype(np.float32), RATE_HZ)
    folders = [f"--{role}={tmp_path / role}" for role in ("clean", "noisy")]
    monkeypatch.setattr(sys, "argv", ["filtered.py", *folders, "--model", "tiny"])
    filtered.main()
    rows = [line for line in capsys.readouterr().out.splitlines() if "smle tiny" in line]
    assert len(rows) == len(filtered.FILTERS)
