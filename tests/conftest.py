"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Before torch or numpy load: tests compare numbers, and one thread each keeps a busy machine calm.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real speech, noise and scoring pairs; they lie beside the clone, never inside it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not (folder / "README.md").is_file():
        pytest.skip("no shared/data beside the clone")
    return folder
