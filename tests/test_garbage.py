"""Five hundred broken files: a clear line each, nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import garbage
import numpy as np
from processes import outputs, peak_memory, start

from smle.files.audio import read


def test_garbage_is_refused_file_by_file(tmp_path: Path, model_folder: Path) -> None:
    count = garbage.make(tmp_path / "in")
    assert count >= 500
    before = outputs(tmp_path / "in")
    options = ("--model", model_folder, "-j", 2, "--quiet", "--report", tmp_path / "r.json")
    with (tmp_path / "said.txt").open("wb") as stderr:
        process = start("enhance", *options, tmp_path / "in", tmp_path / "out", stderr=stderr)
        peak = peak_memory(process)
    said = (tmp_path / "said.txt").read_text()
    assert process.returncode == 3, said
    assert outputs(tmp_path / "in") == before
    files = json.loads((tmp_path / "r.json").read_text())["files"]
    assert len(files) == count
    failed = [file for file in files if file["status"] == "failed"]
    assert 100 < len(failed) < count
    assert sorted(said.splitlines()) == sorted(f"failed: {file['error']}" for file in failed)
    made = outputs(tmp_path / "out")
    assert len(made) == count - len(failed)
    for name in made:
        audio, _ = read(tmp_path / "out" / name)
        assert np.isfinite(audio).all()
    for name in garbage.KINDS:
        assert f"whole.{name}" in made
    assert peak < 500e6, f"{peak / 1e6:.0f} MB"
