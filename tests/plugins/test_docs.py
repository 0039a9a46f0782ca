"""The code in docs/pedalboard.md runs as printed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from pedalboard.io import AudioFile

import smle
from tests.models import enhancer

PAGE = Path(__file__).parents[2] / "docs" / "pedalboard.md"


@pytest.mark.parametrize(("channels", "samples"), [(2, 50_000), (1, 900)])
def test_the_page_runs_and_its_chunks_give_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: int, samples: int
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(smle, "load", lambda name: enhancer())
    audio = 0.1 * np.random.default_rng(0).standard_normal((channels, samples)).astype(np.float32)
    with AudioFile("noisy.wav", "w", 44_100, channels) as file:
        file.write(audio)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 2
    names: dict[str, object] = {}
    results = []
    for block in blocks:
        exec(block, names)
        with AudioFile("clean.wav") as file:
            results.append(file.read(file.frames))
    assert results[0].shape == audio.shape
    np.testing.assert_allclose(results[1], results[0], atol=1e-4)
    assert names["enhancer"].reported_latency_samples == 1408  # type: ignore[attr-defined]


def test_the_page_links_to_files_that_exist() -> None:
    for link in re.findall(r"\]\((\.\./[^)]+)\)", PAGE.read_text()):
        assert (PAGE.parent / link).is_file(), link
