"""Memory stays bounded: by nothing in the length of a file, by nothing in the number of files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from processes import outputs, peak_memory, sound, start

from smle.files.audio import AudioReader, AudioWriter, probe

MB = 1 << 20


def enhance(*arguments: object) -> int:
    """Run to the end; the largest resident memory in bytes."""
    process = start("enhance", *arguments, stderr=None, stdout=None)
    peak = peak_memory(process)
    assert process.returncode == 0
    return peak


def make_long(path: Path, minutes: int, sample_rate: int, channels: int) -> Path:
    """A file of noise that is written minute by minute."""
    rng = np.random.default_rng(0)
    minute = (0.1 * rng.standard_normal((channels, 60 * sample_rate))).astype(np.float32)
    with AudioWriter(path, sample_rate, channels, format="WAV", subtype="PCM_16") as writer:
        for _ in range(minutes):
            writer.write(minute)
    return path


def test_five_times_the_length_takes_no_more_memory(tmp_path: Path, model_folder: Path) -> None:
    used = []
    for minutes in (1, 5):
        noisy = make_long(tmp_path / f"{minutes}.wav", minutes, 16_000, 2)
        out = tmp_path / f"out{minutes}.wav"
        used.append(enhance("--model", model_folder, noisy, out))
        assert probe(out).frames == minutes * 60 * 16_000
    assert used[1] < used[0] + 20 * MB


@pytest.mark.slow
def test_three_hours_of_stereo_fit_into_700_mb(tmp_path: Path) -> None:
    noisy = make_long(tmp_path / "noisy.wav", 180, 48_000, 2)
    used = enhance(noisy, tmp_path / "out.wav")
    assert used < 700e6, f"{used / 1e6:.0f} MB"
    assert probe(tmp_path / "out.wav").frames == 180 * 60 * 48_000
    with AudioReader(tmp_path / "out.wav") as reader:
        assert sum(block.shape[1] for block in reader.blocks()) == 180 * 60 * 48_000


@pytest.mark.slow
def test_a_thousand_files_take_no_more_memory_than_a_hundred(
    tmp_path: Path, model_folder: Path
) -> None:
    used = []
    for count in (100, 1000):
        folder = tmp_path / f"{count}"
        folder.mkdir()
        for index in range(count):
            path = folder / f"{index:04}.wav"
            with AudioWriter(path, 16_000, 1, format="WAV", subtype="PCM_16") as writer:
                writer.write(sound(2 + index % 7, seed=index))
        used.append(enhance("--model", model_folder, "-j", 1, folder, tmp_path / f"out{count}"))
        assert len(outputs(tmp_path / f"out{count}")) == count
    assert used[1] < used[0] + 20 * MB, used
