"""Fixtures that every test may use."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

# A shell that starts the suite in the background has it ignore Ctrl-C, and its children too.
signal.signal(signal.SIGINT, signal.default_int_handler)

RECIPE = """
format = 1
name = "test"
specialists = ["one", "two", "three"]
generalist = true
[network]
kind = "recurrent"
cell = "gru"
hidden_size = 8
layers = 1
[gate]
hidden_size = 8
[routing]
segment_s = 0.3
evidence_s = 0.2
margin = 0.0
"""

# Makes the golden files; needs packages that the tests do without.
collect_ignore = ["golden"]

# Before torch or numpy load: tests compare numbers, and one thread each keeps a busy machine calm.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real speech, noise and scoring pairs; they lie beside the clone, never inside it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not (folder / "README.md").is_file():
        pytest.skip("no shared/data beside the clone")
    return folder


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with random weights, small and quick."""
    from models import mixture
    from smle.tensors.checkpoint import save_model

    folder = tmp_path_factory.mktemp("model")
    save_model(mixture(), RECIPE, folder)
    return folder


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hundred short files and a longer one."""
    from processes import sound

    from smle.files.audio import write

    folder = tmp_path_factory.mktemp("many")
    for index in range(200):
        path = folder / f"{index % 7}" / f"{index}.{'flac' if index % 3 else 'wav'}"
        path.parent.mkdir(exist_ok=True)
        write(path, sound(0.3 + 0.01 * (index % 20), seed=index), 16_000)
    write(folder / "long.wav", sound(40.0), 16_000)
    return folder


@pytest.fixture(scope="session")
def uninterrupted(many: Path, model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an undisturbed run makes of `many`."""
    from processes import start

    out = tmp_path_factory.mktemp("whole") / "out"
    process = start("enhance", "--model", model_folder, "-j", 1, many, out)
    assert process.communicate()[1].count(b"failed") == 0
    assert process.returncode == 0
    return out
