"""`smle models` tells what the weights' own file says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from smle.model.folders import bundled_models
from smle_cli.main import exit_code


def test_counts_are_those_of_the_file(
    model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(["models", "--json", str(model_folder)]) == 0
    facts = json.loads(capsys.readouterr().out)[str(model_folder)]
    tensors = load_file(model_folder / "model.safetensors")
    sizes = {name: int(np.prod(tensor.shape)) for name, tensor in tensors.items()}
    active = sum(n for name, n in sizes.items() if name.startswith(("specialists.0.", "gate.")))
    assert facts["stored_parameters"] == sum(sizes.values())
    assert facts["active_parameters"] == active
    assert facts["experts"] == ["one", "two", "three", "generalist"]
    assert facts["latency_ms"] == 32


def test_every_bundled_model_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["models"]) == 0
    said = capsys.readouterr().out
    for name, folder in bundled_models().items():
        assert name in said
        scores = json.loads((folder / "scores.json").read_text())
        assert f"{scores['si_sdri_db']['routed']:.1f} dB" in said


def test_an_unknown_model_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["models", "nowhere"]) == 1
    assert "smle: no model 'nowhere'" in capsys.readouterr().err


def test_a_model_that_cannot_enhance_is_not_listed(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(model_folder, damaged)
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert exit_code(["models", str(damaged)]) == 1
    said = capsys.readouterr()
    assert said.err.startswith(f"smle: {weights} cannot be read")
    assert not said.out
