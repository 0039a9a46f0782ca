from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import smle
from smle.files.audio import write
from smle_cli.main import exit_code
from tests.scored_folders import make_folders
from tests.speech_like import RATE_HZ, speech_like

Run = Callable[..., int]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folders(tmp_path_factory.mktemp("folders"))


@pytest.fixture
def run(folders: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command in this process, beside the folders."""
    monkeypatch.chdir(folders)
    return lambda *arguments: exit_code(["eval", "--jobs", "1", *map(str, arguments)])


def test_any_tools_files_are_scored_side_by_side(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(
        "good", "clean", "--noisy", "noisy", "--system", "other=poor", "--metrics", "si-sdri"
    )
    out = capsys.readouterr().out
    assert code == 0
    assert re.search(r"^noisy +0\.00 \[0\.00, 0\.00\]$", out, re.MULTILINE)
    assert re.search(r"^good +1\d\.\d\d \[1\d\.\d\d, 1\d\.\d\d\]$", out, re.MULTILINE)
    assert "good beats other by" in out
    assert "better on 100 % of 6 files" in out


def test_a_report_is_written_once_and_gone_on_with(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("good", "clean", "--metrics", "si-sdr", "--report", tmp_path / "r")
    assert run(*arguments) == 0
    assert run(*arguments) == 1
    assert "give --resume to go on" in capsys.readouterr().err
    assert run(*arguments, "--resume", "--conditions", "conditions.csv") == 0
    summary = json.loads((tmp_path / "r" / "summary.json").read_text())
    assert "speaker" in summary["conditions"]
    assert run(*arguments, "--force") == 0
    assert json.loads((tmp_path / "r" / "summary.json").read_text())["pairs"]["scored"] == 6


@pytest.mark.parametrize(("rate", "heard"), [(96_001, 0), (96_000, 1)])
def test_a_rate_that_no_page_can_play_is_scored(
    run: Run, tmp_path: Path, rate: int, heard: int
) -> None:
    speech = speech_like(1.0, 0).astype(np.float32)[None]
    for folder, gain in (("c", 1.0), ("n", 0.5)):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "a.wav", gain * speech, rate)
    report = tmp_path / "r"
    folders = (tmp_path / "n", tmp_path / "c")
    assert run(*folders, "--metrics", "si-sdr", "--report", report) == 0
    assert json.loads((report / "summary.json").read_text())["pairs"]["scored"] == 1
    page = (report / "report.html").read_text()
    assert page.count('"flac":') == 2 * heard


def test_two_systems_of_one_name_are_refused(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = Path.cwd()
    name = sorted(path.name for path in Path("clean").iterdir())[0]
    files = [here / folder / name for folder in ("clean", "noisy", "good")]
    for head, said in {
        "clean,noisy,estimate:noisy": "two systems are named 'noisy'",
        "clean,estimate,estimate:estimate": "two columns are of one system",
    }.items():
        (tmp_path / "pairs.csv").write_text(f"{head}\n{','.join(map(str, files))}\n")
        assert run("--pairs", tmp_path / "pairs.csv", "--metrics", "si-sdr") == 1
        assert said in capsys.readouterr().err


@pytest.mark.parametrize(("folder", "name"), [("tool_v1.2", "tool_v1.2"), ("clean", "estimate")])
def test_a_folder_with_a_dot_keeps_its_name_and_one_called_clean_does_not(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], folder: str, name: str
) -> None:
    shutil.copytree("good", tmp_path / folder)
    assert run(tmp_path / folder, "clean", "--metrics", "si-sdr") == 0
    assert name in capsys.readouterr().out


@pytest.mark.parametrize(
    "line", ["[1]", '{"schema": "SCHEMA"}', '{"schema": "SCHEMA", "settings": 3}']
)
def test_a_strange_log_is_said_to_be_one(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    arguments = ("good", "clean", "--metrics", "si-sdr", "--report", tmp_path / "r")
    assert run(*arguments) == 0
    log = tmp_path / "r" / "scores.jsonl"
    header, *entries = log.read_text().splitlines()
    schema = json.loads(header)["schema"]
    for text in (line.replace("SCHEMA", schema) + "\n", header + '\n{"name": "a"}\n'):
        log.write_text(text)
        assert run(*arguments, "--resume") == 1
        assert "give --force" in capsys.readouterr().err
    log.write_text("\n".join([header, *entries]) + "\n")
    assert run(*arguments, "--resume") == 0


@pytest.mark.parametrize(("bar", "code"), [("si-sdri=10", 0), ("si_sdri_db=15", 1)])
def test_a_bar_that_is_missed_ends_with_1(
    run: Run, capsys: pytest.CaptureFixture[str], bar: str, code: int
) -> None:
    found = run("good", "clean", "--noisy", "noisy", "--metrics", "si-sdri", "--fail-under", bar)
    assert found == code
    assert ("the bar is 15" in capsys.readouterr().err) == bool(code)


def test_less_is_asked_of_distances(run: Run) -> None:
    arguments = ("good", "clean", "--metrics", "lsd", "--fail-under")
    assert run(*arguments, "lsd=50") == 0
    assert run(*arguments, "lsd=0.1") == 1


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((), "give a folder to score"),
        (("good", "clean", "--metrics", "loudness"), "no metric 'loudness'"),
        (("good", "clean", "--metrics", "si-sdri"), "si-sdri needs the noisy files"),
        (("good", "--metrics", "si-sdr"), "si-sdr needs the clean files"),
        (("good", "clean", "--system", "poor"), "write NAME=DIR"),
        (("good", "clean", "--system", "noisy=poor"), "the name noisy is taken"),
        (("good", "clean", "--system", "a=poor", "--system", "a=good"), "the name a is taken"),
        (("noisy", "clean", "--model", "base", "--system", "routed=good"), "routed is taken"),
        (("noisy", "clean", "--model", "base", "--noisy", "noisy"), "drop --noisy"),
        (("good", "clean", "--pairs", "list.csv"), "leave out folders"),
        (("good", "clean", "--metrics", ","), "--metrics is empty"),
        (("good", "clean", "--system", "good=poor", "--system", "estimate=poor"), "first folder"),
        (("noisy", "clean", "--model", "base", "--model", "base"), "names one model twice"),
        (("good", "clean", "--tolerance", "nan"), "nan is no length"),
        (("good", "clean", "--max-delay", "inf"), "inf is no length"),
        (("good", "clean", "--fail-under", "si-sdr=loud"), "write METRIC=NUMBER"),
        (("good", "clean", "--fail-under", "si-sdr=nan"), "write METRIC=NUMBER"),
        (("good", "clean", "--metrics", "snr", "--fail-under", "stoi=1"), "stoi is not computed"),
        (("good", "clean", "--resume"), "give --report DIR"),
        (("good", "clean", "--report", "conditions.csv"), "is a file"),
        (("good", "clean", "--resume", "--force"), "choose one"),
    ],
)
def test_wrong_usage_is_explained_in_one_line(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], word: str
) -> None:
    assert run(*arguments) == 2
    assert word in " ".join(capsys.readouterr().err.split())


def test_what_cannot_be_matched_ends_with_1(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("good", "nowhere") == 1
    assert capsys.readouterr().err == "smle: nowhere: no such folder; check the path\n"


def test_files_that_fail_are_counted_and_end_with_3(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_folders(tmp_path, 0.3)
    (root / "good" / "file0.wav").write_bytes(b"no audio")
    (root / "good" / "file2.wav").unlink()
    assert run(root / "good", root / "clean", "--metrics", "si-sdr") == 3
    out = capsys.readouterr().out
    assert "no si-sdr of good for 1 files, such as file0" in out
    assert f"no partner: {root / 'clean' / 'file2.wav'}" in out


def test_files_none_of_which_has_a_score_end_with_1(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, seconds in (("clean", 0.6), ("short", 0.3)):
        (tmp_path / folder).mkdir()
        audio = speech_like(seconds)[None].astype(np.float32)
        write(tmp_path / folder / "a.wav", audio, RATE_HZ, subtype="FLOAT")
    assert run(tmp_path / "short", tmp_path / "clean", "--metrics", "si-sdr,snr") == 1
    assert "no si-sdr of short for 1 files, such as a" in capsys.readouterr().out


def test_metrics_whose_package_is_missing_are_left_out_or_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "smle.evaluation.metric_table.find_spec", lambda name: None if name == "pesq" else object()
    )
    pytest.importorskip("pystoi")
    assert run("good", "clean") in (0, 3)
    found = capsys.readouterr()
    assert "left out: pesq needs the package pesq; pip install 'smle[eval]'" in found.err
    assert "PESQ" not in found.out
    assert run("good", "clean", "--metrics", "pesq") == 1
    assert "pip install 'smle[eval]'" in capsys.readouterr().err
    monkeypatch.setattr("smle.evaluation.metric_table.find_spec", lambda name: None)
    assert run("good") == 1
    assert capsys.readouterr().err.startswith("smle: dnsmos needs the package speechmos")


def test_metrics_are_listed_with_their_sources(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--metrics", "list") == 0
    assert "si-sdr    Scale-invariant" in capsys.readouterr().out


def test_a_late_tool_is_told_so(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import numpy as np

    from smle.files.audio import find_audio, read, write

    for path in find_audio("good"):
        audio, rate = read(path)
        moved = np.pad(audio, ((0, 0), (64, 0)))[:, : audio.shape[1]]
        target = tmp_path / "late" / path.relative_to("good")
        target.parent.mkdir(parents=True, exist_ok=True)
        write(target, moved, rate, subtype="FLOAT")
    assert run(tmp_path / "late", "clean", "--metrics", "si-sdr") == 0
    assert "late comes 64 samples late (median); not removed" in capsys.readouterr().out
    assert run(tmp_path / "late", "clean", "--metrics", "si-sdr", "--align") == 0
    assert "late: a delay was removed from 6 of 6 files, 64 samples" in capsys.readouterr().out


def test_no_further_system_may_be_called_clean(run: Run) -> None:
    assert run("good", "clean", "--metrics", "si-sdr", "--system", "clean=poor") == 2


def test_a_mean_over_fewer_files_says_so(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_folders(tmp_path, 0.3)
    (root / "good" / "file0.wav").write_bytes(b"RIFF")
    folders = (root / "good", root / "clean")
    assert run(*folders, "--metrics", "si-sdr", "--report", tmp_path / "r") == 3
    assert "(5 files)" in capsys.readouterr().out
    assert "(5 files)" in (tmp_path / "r" / "summary.md").read_text()


def test_names_that_cannot_be_printed_are_escaped(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_folders(tmp_path, 0.3)
    (root / "good" / "file0.wav").rename(root / "good" / "file\udcff\x1b[1m.wav")
    report = ("--report", tmp_path / "r")
    assert run(root / "good", root / "clean", "--metrics", "si-sdr", *report) == 0
    assert "file\\udcff\\x1b[1m.wav" in capsys.readouterr().out


def test_scoring_files_and_asking_for_help_load_no_torch(folders: Path) -> None:
    program = (
        "import sys; from smle_cli.main import exit_code;"
        "code = exit_code(sys.argv[1:]); sys.exit(code or 9 * ('torch' in sys.modules))"
    )
    root = Path(__file__).resolve().parents[1]
    for arguments in (["--help"], ["good", "clean", "--metrics", "si-sdr", "--jobs", "1"]):
        command = [sys.executable, "-c", program, "eval", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(root)}
        done = subprocess.run(
            command, cwd=folders, env=environment, capture_output=True, check=False
        )
        assert done.returncode == 0


@pytest.mark.slow
def test_an_interrupted_run_ends_with_130_and_loses_nothing(folders: Path, tmp_path: Path) -> None:
    rows = [f"p{n},good/file{n % 2 * 2}.wav,clean/file{n % 2 * 2}.wav" for n in range(2000)]
    listing = folders / "many.csv"
    listing.write_text("\n".join(["name,estimate,clean", *rows]))
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-m", "smle_cli", "eval", "--pairs", str(listing), "--jobs", "2"]
    command += ["--metrics", "sdr,lsd", "--report", str(tmp_path / "r"), "--quiet"]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    log = tmp_path / "r" / "scores.jsonl"
    run = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, start_new_session=True)
    while not log.exists() or log.read_bytes().count(b"\n") < 20:
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGINT)
    _, error = run.communicate()
    assert run.returncode == 130, error
    assert b"interrupted" in error
    assert b"Traceback" not in error
    before = log.read_bytes()
    subprocess.run([*command, "--resume"], env=environment, check=True, stdout=subprocess.DEVNULL)
    assert log.read_bytes().startswith(before)
    assert json.loads((tmp_path / "r" / "summary.json").read_text())["pairs"]["scored"] == 2000


def test_models_are_run_in_every_way_there_is(
    run: Run, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(
        *("noisy", "clean", "--model", model_folder, "--conditions", "conditions.csv"),
        *("--metrics", "si-sdr", "--report", tmp_path / "r"),
    )
    out = capsys.readouterr().out
    assert code == 0
    summary = json.loads((tmp_path / "r" / "summary.json").read_text())
    kinds = [system["kind"] for system in summary["systems"]]
    assert kinds[:4] == ["noisy", "generalist", "routed", "dense"]
    assert kinds[-1] == "best"
    assert summary["conditions"]["snr_db"][0]["scores"]["routed"]["si_sdr_db"]["count"] == 2
    assert "switches a minute" in out
    assert "MMAC/s" in out


def test_a_truth_that_is_told_anew_is_scored_anew(
    run: Run, model_folder: Path, tmp_path: Path
) -> None:
    expert = smle.load(model_folder).expert_names[1]
    names = [
        path.relative_to("clean").with_suffix("") for path in sorted(Path("clean").rglob("*.*"))
    ]
    rows = "".join(f"{name.as_posix()},{expert}\n" for name in names)
    (tmp_path / "told.csv").write_text(f"name,expert\n{rows}")
    arguments = ("noisy", "clean", "--model", model_folder, "--metrics", "si-sdr", "--report")
    assert run(*arguments, tmp_path / "r") == 0
    for report, resume in (("r", ["--resume"]), ("fresh", [])):
        told = ["--conditions", tmp_path / "told.csv"]
        assert run(*arguments, tmp_path / report, *resume, *told) == 0
    again, fresh = (
        json.loads((tmp_path / report / "summary.json").read_text()) for report in ("r", "fresh")
    )
    assert again["gates"] == fresh["gates"]
    oracles = [
        [system["scores"] for system in told["systems"] if system["kind"] == "oracle"]
        for told in (again, fresh)
    ]
    assert oracles[0] == oracles[1] != []


def test_a_report_of_a_changed_model_is_not_gone_on_with(
    run: Run, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model"
    shutil.copytree(model_folder, model)
    arguments = ("noisy", "clean", "--model", model, "--metrics", "snr", "--report", tmp_path / "r")
    assert run(*arguments) == 0
    assert run(*arguments, "--resume") == 0
    recipe = model / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("margin = 0.0", "margin = 9.0"))
    assert run(*arguments, "--resume") == 1
    assert "give --force to start anew" in capsys.readouterr().err
