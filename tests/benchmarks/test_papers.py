from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import papers
import papers_training
import pytest
from papers_findings import parameters_at
from papers_plan import GROUPS, Budget, generalist_recipe, mixture_recipe

from smle.files.audio_writer import write
from smle.model.recipe import read_recipe
from smle.training.stage import Progress, decay_begins
from tests.speech_like import RATE_HZ, noise_like, speech_like

Main = Callable[..., None]


class KilledError(Exception):
    pass


@dataclass(frozen=True)
class SmallBudget(Budget):
    batch_size: int = 2
    segment_s: float = 0.5


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small folder laid out as the real one."""
    root = tmp_path_factory.mktemp("data")
    tables: dict[str, list[dict[str, str]]] = {"speech": [], "noise": []}
    for number in range(40):
        gender = "FM"[number // 20]
        for kind, signal in (
            ("speech", speech_like(1.0, number)),
            ("noise", noise_like(1.0, number)),
        ):
            path = f"{kind}/train/{number}.wav"
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            write(root / path, signal[None].astype(np.float32), RATE_HZ)
            tables[kind].append(
                {"path": path, "speaker": f"{gender}{number % 3}", "gender": gender}
                | {"class": "hiss", "seconds": "1.0"}
            )
    pairs = root / "pairs" / "dev"
    for number in range(3):
        clean = speech_like(1.0, 90 + number)
        for role, signal in {"clean": clean, "noisy": clean + noise_like(1.0, number)}.items():
            (pairs / role).mkdir(parents=True, exist_ok=True)
            write(pairs / role / f"{number}.wav", signal[None].astype(np.float32), RATE_HZ)
    (pairs / "pairs.csv").write_text("name,gender,snr_db\n0,F,0\n1,M,5\n2,,10\n")
    for kind, rows in tables.items():
        with (root / f"{kind}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return root


@pytest.fixture
def main(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Main:
    """Run the script with a budget of seconds, watched."""
    monkeypatch.setattr(papers, "GROUPS", GROUPS[:1])
    monkeypatch.setattr(papers, "Budget", SmallBudget)
    monkeypatch.setattr(papers_training, "HIDDEN_SIZES", (64,))
    monkeypatch.setattr(papers_training, "TIMES", ())
    monkeypatch.setattr(papers_training, "REMEDIES", {})
    arguments = ["papers.py", str(data), str(tmp_path), "--seeds", "1,2"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--updates", "2", "--joint", "1"])

    def main(watch: Callable[[Progress], None]) -> None:
        monkeypatch.setattr(papers, "_watch", watch)
        papers.main()

    return main


def test_an_interrupted_run_goes_on_and_reports_every_claim(
    main: Main, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(progress: Progress) -> None:
        if progress.stage == "gate":
            raise KilledError

    def refuse(progress: Progress) -> None:
        raise AssertionError("it was trained already")

    stages: list[str] = []
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "matplotlib.figure", None)
        with pytest.raises(KilledError):
            main(kill)
        main(lambda progress: stages.append(progress.stage))
    # What the first run finished is not trained again.
    first = ["gate"] * 2 + ["finetune"]
    again = ["generalist"] * 2 + ["specialist-0"] * 2 + ["specialist-1"] * 2
    assert stages == [*first, *again, *first]
    assert not (tmp_path / "figure.png").exists()
    main(refuse)
    if find_spec("matplotlib"):
        assert (tmp_path / "figure.png").read_bytes()[:4] == b"\x89PNG"

    found = json.loads((tmp_path / "table.json").read_text())
    rows = {(row["system"], row["route"]): row for row in found["rows"]}
    assert rows["generalist-64", "generalist"]["parameters"]["stored"] == 132_673
    routed = rows["gender-2-tuned", "routed"]
    assert set(routed["seeds"]) == {"1", "2"}
    assert routed["parameters"]["stored"] == 132_673 + routed["parameters"]["active"]
    best = rows["gender-2-naive", "best"]["si_sdri_db"]
    assert best >= rows["gender-2-naive", "routed"]["si_sdri_db"]
    tuned = next(claim for claim in found["claims"] if claim["claim"] == "fine-tuned beats naive")
    naive_db = rows["gender-2-naive", "routed"]["si_sdri_db"]
    assert tuned["difference_db"] == pytest.approx(routed["si_sdri_db"] - naive_db, abs=0.002)
    table = (tmp_path / "table.md").read_text()
    assert "| gender-2-tuned | " in table


def test_every_network_gets_the_same_number_of_updates(tmp_path: Path) -> None:
    budget = Budget(updates=50, joint=20)
    path = tmp_path / "recipe.toml"
    path.write_text(generalist_recipe(budget, seed=1, hidden_size=128))
    generalist = read_recipe(path).training
    assert generalist.generalist.steps == 50
    for group in GROUPS:
        path.write_text(mixture_recipe(group, "naive", budget, seed=1))
        naive = read_recipe(path).training
        path.write_text(mixture_recipe(group, "tuned", budget, seed=1))
        tuned = read_recipe(path).training
        assert naive.specialists == generalist.generalist
        assert naive.finetune.steps == tuned.specialists.steps == tuned.gate.steps == 0
        assert decay_begins(naive.specialists) + tuned.finetune.steps == 50


def test_sizes_at_equal_quality_lie_on_the_curve() -> None:
    curve = [(100, 5.0), (1_000, 6.0), (100_000, 7.0)]
    assert parameters_at(curve, 6.5) == (pytest.approx(10_000), "=")
    assert parameters_at(curve, 6.0) == (pytest.approx(1_000), "=")
    assert parameters_at(curve, 4.0) == (100, "<")
    assert parameters_at(curve, 7.5) == (100_000, ">")
