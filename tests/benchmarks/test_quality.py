from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import quality
from peers import PEERS, Peer

from smle.files.audio_writer import write
from tests.speech_like import RATE_HZ, noise_like, speech_like

Run = Callable[..., dict[str, dict[str, str]]]
NAMES = ("a", "b", "c")


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    for number, name in enumerate(NAMES):
        clean = speech_like(1.5, number)
        noisy = clean + noise_like(1.5, number + 9)
        for role, signal in {"clean": clean, "noisy": noisy}.items():
            (tmp_path / role).mkdir(exist_ok=True)
            write(tmp_path / role / f"{name}.wav", signal[None].astype(np.float32), RATE_HZ)
    (tmp_path / "pairs.csv").write_text("name,snr_db\na,5\nb,5\nc,10\n")
    return tmp_path


@pytest.fixture
def run(pairs: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the script; give the lines of its CSV by system."""

    def run(*options: str) -> dict[str, dict[str, str]]:
        folders = [f"--{role}={pairs / role}" for role in ("clean", "noisy")]
        listed = f"--pairs={pairs / 'pairs.csv'}"
        out = [str(pairs / f"out.{kind}") for kind in ("csv", "md", "json")]
        arguments = [*folders, listed, "--metric", "si-sdri", "si-sdr", *options, "--out", *out]
        monkeypatch.setattr(sys, "argv", ["quality.py", *arguments])
        quality.main()
        with (pairs / "out.csv").open() as file:
            return {row["system"]: row for row in csv.DictReader(file)}

    return run


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make a peer that halves the signal, and count how often it starts."""
    started: list[str] = []

    def start() -> Callable[[np.ndarray], np.ndarray]:
        started.append("half")
        return lambda noisy: 0.5 * noisy

    # Any package that is installed will do.
    monkeypatch.setitem(PEERS, "half", Peer(start, "numpy", "0", RATE_HZ, 0, 7))
    return started


def test_models_and_peers_stand_in_one_table(
    run: Run, counted: list[str], model_folder: Path, pairs: Path
) -> None:
    rows = run("--peer", "half", "--model", str(model_folder))
    model = f"smle {model_folder.name}"
    assert list(rows) == ["noisy", "half", f"{model} generalist", f"{model} routed"]
    assert float(rows["noisy"]["si_sdri_db"]) == 0
    # A gain is no improvement and no harm.
    assert float(rows["half"]["si_sdri_db"]) == pytest.approx(0, abs=1e-4)
    assert float(rows["half"]["active_parameters"]) == 7
    for row in rows.values():
        assert float(row["si_sdri_db_low"]) <= float(row["si_sdri_db"])
        assert float(row["si_sdri_db"]) <= float(row["si_sdri_db_high"])
        gain_db = float(row["si_sdr_db"]) - float(rows["noisy"]["si_sdr_db"])
        assert gain_db == pytest.approx(float(row["si_sdri_db"]), abs=1e-4)
    routed, generalist = rows[f"{model} routed"], rows[f"{model} generalist"]
    assert float(routed["stored_parameters"]) > float(routed["active_parameters"])
    assert float(routed["active_parameters"]) > float(generalist["active_parameters"])
    assert float(routed["cpu_s_per_audio_s"]) > 0
    text = (pairs / "out.md").read_text()
    assert f"## {model} routed against the others" in text
    assert "5 dB (2 files)" in text
    summary = json.loads((pairs / "out.json").read_text())
    assert [group["label"] for group in summary["conditions"]["snr_db"]] == ["5", "10"]


def test_the_cache_scores_a_peer_once(run: Run, counted: list[str], pairs: Path) -> None:
    cache = f"--cache={pairs / 'cache'}"
    first = run("--peer", "half", cache)
    started = len(counted)
    second = run("--peer", "half", cache)
    # What is left is the timing, which is taken anew each time.
    assert len(counted) - started == started - len(NAMES)
    assert first["half"]["si_sdr_db"] == second["half"]["si_sdr_db"]


def test_several_processes_score_the_same(run: Run, model_folder: Path) -> None:
    options = ("--peer", "--model", str(model_folder), "--metric", "si-sdr", "high-band-voiced")
    one, two = run(*options), run(*options, "--jobs", "2")
    assert list(one) == list(two)
    for name, row in one.items():
        for column in ("si_sdr_db", "high_band_error_db_voiced"):
            assert float(row[column]) == pytest.approx(float(two[name][column]), abs=1e-4)


def test_a_missing_peer_is_skipped_with_its_remedy(
    run: Run, monkeypatch: pytest.MonkeyPatch, pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = Peer(lambda: lambda noisy: noisy, "smle-has-no-such-peer", "1.2", RATE_HZ, 0)
    monkeypatch.setitem(PEERS, "missing", missing)
    assert list(run("--peer", "missing")) == ["noisy"]
    line = "missing, not installed: pip install --no-deps smle-has-no-such-peer==1.2"
    assert f"skipped: {line}" in capsys.readouterr().err
    assert line in (pairs / "out.md").read_text()


def test_another_format_is_refused_before_hours_of_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["quality.py", "--clean=c", "--noisy=n", "--out", "x.txt"])
    with pytest.raises(SystemExit, match="2"):
        quality.main()
    assert "x.txt: the name must end in .md, .csv, .json" in capsys.readouterr().err
