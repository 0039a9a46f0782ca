"""`smle enhance` on folders and files: what comes out, and what is said where it cannot."""

from __future__ import annotations

import csv
import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile as sf

import smle
from smle.enhancement.streaming import expert_number
from smle.files.audio import AudioReader, read, write
from smle_cli.enhance_command import _checked_route
from smle_cli.main import exit_code
from tests.speech_like import RATE_HZ, noise_like, speech_like

Run = Callable[..., int]


def sound(
    seconds: float, sample_rate: int = 16_000, channels: int = 1, seed: int = 0
) -> np.ndarray:
    """Bursts of tone in noise, shape (channels, time)."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * sample_rate)) / sample_rate
    bursts = np.sin(2 * np.pi * 300 * t) * (np.sin(2 * np.pi * 1.5 * t) > 0)
    return (0.2 * bursts + 0.05 * rng.standard_normal((channels, t.size))).astype(np.float32)


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".smle-ledger")
    }


@pytest.fixture
def run(model_folder: Path) -> Run:
    """The command in this process, with the small model."""
    return lambda *arguments: exit_code(
        ["enhance", "--model", str(model_folder), "--jobs", "1", *map(str, arguments)]
    )


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    """Three files in two folders, two of them with one name."""
    folder = tmp_path / "noisy"
    (folder / "sub").mkdir(parents=True)
    write(folder / "a.wav", sound(0.7, seed=1), 16_000)
    write(folder / "b.flac", sound(1.1, 44_100, 2, seed=2), 44_100, subtype="PCM_24")
    write(folder / "sub" / "a.wav", sound(0.4, 8_000, seed=3), 8_000, subtype="PCM_U8")
    return folder


def test_a_folder_keeps_tree_rate_channels_length_and_depth(
    run: Run, noisy: Path, tmp_path: Path
) -> None:
    names = ["with space.wav", "quo'te\".wav", "new\nline.wav", "ünï/çode.wav", "six.wav"]
    for seed, name in enumerate(names):
        (noisy / name).parent.mkdir(exist_ok=True)
        write(noisy / name, sound(0.3, 48_000, 1 + seed, seed=seed), 48_000, subtype="FLOAT")
    (noisy / "sub" / "loop").symlink_to(noisy)
    assert run(noisy, tmp_path / "out") == 0
    out = files_below(tmp_path / "out")
    assert sorted(out) == sorted(["a.wav", "b.flac", "sub/a.wav", *names])
    for name in out:
        before, after = sf.info(noisy / name), sf.info(tmp_path / "out" / name)
        for fact in ("samplerate", "channels", "frames", "format", "subtype"):
            assert getattr(after, fact) == getattr(before, fact)


def test_files_equal_what_the_library_returns(
    run: Run, noisy: Path, tmp_path: Path, model_folder: Path
) -> None:
    enhancer = smle.load(model_folder)
    assert run(noisy, tmp_path / "out", "--format", "wav", "--subtype", "FLOAT") == 0
    for name in ("a", "b", "sub/a"):
        source = noisy / f"{name}.{'flac' if name == 'b' else 'wav'}"
        audio, rate = read(source)
        written, _ = read(tmp_path / "out" / f"{name}.wav")
        assert np.abs(written - enhancer(audio, rate)).max() < 1e-5


def test_a_long_file_streamed_in_blocks_has_no_seams(
    run: Run, noisy: Path, tmp_path: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smle.batch.file_enhancement.STREAMED_ABOVE", 0)
    monkeypatch.setattr("smle.batch.file_enhancement.BLOCK_S", 0.0731)
    assert run(noisy, tmp_path / "out", "--format", "wav", "--subtype", "FLOAT") == 0
    audio, rate = read(noisy / "b.flac")
    written, _ = read(tmp_path / "out" / "b.wav")
    assert written.shape == audio.shape
    assert np.abs(written - smle.load(model_folder)(audio, rate)).max() < 1e-5


@pytest.mark.parametrize("streamed_above", [0, 1e9])
def test_a_file_may_be_heard_before_it_begins(
    run: Run,
    noisy: Path,
    tmp_path: Path,
    model_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    streamed_above: float,
) -> None:
    monkeypatch.setattr("smle.batch.file_enhancement.STREAMED_ABOVE", streamed_above)
    write(noisy / "long.wav", sound(5.0, seed=3), 16_000)
    wav = ("--format", "wav", "--subtype", "FLOAT")
    assert run(noisy, tmp_path / "out", *wav) == 0
    assert run(noisy, tmp_path / "heard", *wav, "--hear-first") == 0
    enhancer = smle.load(model_folder)
    for name in ("long.wav", "b.flac"):
        audio, rate = read(noisy / name)
        plain, heard = (
            read((tmp_path / out / name).with_suffix(".wav"))[0] for out in ("out", "heard")
        )
        assert np.abs(heard - enhancer(audio, rate, hear_first=True)).max() < 1e-5
        assert np.abs(heard - plain).max() > 1e-3


def test_what_is_kept_and_what_is_removed_add_up(run: Run, noisy: Path, tmp_path: Path) -> None:
    wav = ("--format", "wav", "--subtype", "FLOAT")
    assert run(noisy, tmp_path / "kept", *wav) == 0
    assert run(noisy, tmp_path / "gone", *wav, "--residual") == 0
    audio, _ = read(noisy / "b.flac")
    kept, gone = (read(tmp_path / name / "b.wav")[0] for name in ("kept", "gone"))
    assert np.abs(kept + gone - audio).max() < 1e-6
    assert np.abs(gone).max() > 1e-3


def test_an_attenuation_limit_of_nothing_changes_nothing(
    run: Run, noisy: Path, tmp_path: Path
) -> None:
    assert run(noisy, tmp_path / "out", "--atten-lim", "0") == 0
    audio, _ = read(noisy / "a.wav")
    written, _ = read(tmp_path / "out" / "a.wav")
    assert np.abs(written - audio).max() <= 2.0**-15


def test_bad_files_are_said_and_the_others_are_done(
    run: Run, noisy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (noisy / "text.wav").write_text("I am no audio")
    (noisy / "cut.flac").write_bytes((noisy / "b.flac").read_bytes()[:9000])
    (noisy / "empty.mp3").touch()
    (noisy / "notes.txt").write_text("notes")
    sf.write(noisy / "nan.wav", np.full(100, np.nan), 16_000, "FLOAT")
    assert run(noisy, tmp_path / "out") == 3
    assert sorted(files_below(tmp_path / "out")) == ["a.wav", "b.flac", "sub/a.wav"]
    said = capsys.readouterr().err
    for name in ("text.wav", "cut.flac", "empty.mp3", "nan.wav"):
        assert len([line for line in said.splitlines() if f"{name}: " in line]) == 1
    assert "1 files are no audio" in said
    assert "3 done, 4 failed" in said
    assert "Traceback" not in said


def test_when_every_file_fails_nothing_could_be_done(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.wav").write_text("no")
    assert run(tmp_path / "bad.wav", tmp_path / "out.wav") == 1
    assert "bad.wav: no audio" in capsys.readouterr().err
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("missing", "out"), 1, "missing: no such file or folder"),
        (("empty", "out"), 1, "empty: no audio files"),
        (("noisy", "noisy"), 1, "is the input folder"),
        (("noisy", "file.txt"), 1, "file.txt: is a file"),
        (("noisy", "out.wav"), 1, "out.wav: is a file's name"),
        (("noisy", "file.txt/out"), 1, "cannot be made"),
        (("noisy/a.wav", "noisy/a.wav", "--force"), 1, "is the input itself"),
        (("noisy/a.wav", "file.txt/out.wav"), 1, "cannot be written"),
        (("noisy", "out", "--route", "nobody"), 2, "choose from segment, file, folder, one"),
        (("noisy", "out", "--force", "--resume"), 2, "choose one"),
        (("noisy", "out", "--suffix", "a/b"), 2, "--suffix 'a/b' is no part of a name"),
        (("noisy/a.wav", "out", "--suffix", "/x"), 2, "--suffix '/x' is no part of a name"),
        (("noisy", "out", "--atten-lim", "-3"), 2, "atten-lim"),
        (("noisy", "out", "--report", "r.xml"), 1, "ends in .json, .jsonl or .csv"),
        (("noisy/a.wav", "out.mp3", "--subtype", "PCM_24"), 1, "MP3 has no subtype PCM_24"),
        (("noisy/a.wav", "out.opus", "--subtype", "VORBIS"), 1, "OPUS files hold no VORBIS"),
        (("noisy/a.wav", "out.opus", "--format", "ogg"), 2, "contradicts out.opus"),
        (("noisy/a.wav", "out.wav", "--subtype", "IMA_ADPCM"), 2, "change the length"),
        (("noisy", "out", "--model", "nomodel"), 1, "no model 'nomodel'"),
    ],
)
def test_a_request_that_cannot_be_met_gets_one_line(
    run: Run,
    noisy: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("file.txt").write_text("precious")
    before = files_below(tmp_path)
    assert run(*arguments) == code
    assert words in capsys.readouterr().err
    assert files_below(tmp_path) == before


def test_nothing_is_overwritten_without_force(
    run: Run, noisy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.wav").write_text("precious")
    assert run(noisy, out) == 3
    assert (out / "a.wav").read_text() == "precious"
    assert "out/a.wav: exists already" in capsys.readouterr().err
    assert run(noisy, out, "--resume") == 3
    assert (out / "a.wav").read_text() == "precious"
    assert run(noisy, out, "--force") == 0
    assert read(out / "a.wav")[0].shape == (1, 11_200)


def test_resume_does_only_what_changed(run: Run, noisy: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(noisy, out) == 0
    times = {name: (out / name).stat().st_mtime_ns for name in files_below(out)}

    def redone(*options: str) -> list[str]:
        assert run(noisy, out, "--resume", *options) == 0
        now = {name: (out / name).stat().st_mtime_ns for name in files_below(out)}
        changed = [name for name in now if now[name] != times.get(name)]
        times.update(now)
        return changed

    assert redone() == []
    write(noisy / "a.wav", sound(0.7, seed=9), 16_000, overwrite=True)
    (noisy / "b.flac").touch()  # another time, the same content
    assert redone() == ["a.wav"]
    assert redone("--atten-lim", "6") == ["a.wav", "b.flac", "sub/a.wav"]
    (out / "sub" / "a.wav").unlink()
    write(noisy / "new.wav", sound(0.2), 16_000)
    assert redone("--atten-lim", "6") == ["new.wav", "sub/a.wav"]
    for options in (["--hear-first"], ["--residual"], ["--route", "two"], ["--subtype", "PCM_24"]):
        assert len(redone(*options)) == 4


def test_resume_keeps_what_lies_in_a_folder_that_was_moved(
    run: Run, noisy: Path, tmp_path: Path
) -> None:
    assert run(noisy, tmp_path / "out") == 0
    before = files_below(tmp_path / "out")
    (tmp_path / "out").rename(tmp_path / "moved")
    report = tmp_path / "report.json"
    assert run(noisy, tmp_path / "moved", "--resume", "--report", report) == 0
    assert files_below(tmp_path / "moved") == before
    told = [(one["status"], one["output"]) for one in json.loads(report.read_text())["files"]]
    assert sorted(told) == [("kept", str(tmp_path / "moved" / name)) for name in sorted(before)]


@pytest.mark.parametrize("lost", ["half a line", "a record"])
def test_resume_goes_on_with_a_ledger_that_a_crash_cut_off(
    run: Run, noisy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], lost: str
) -> None:
    out = tmp_path / "out"
    assert run(noisy, out) == 0
    ledger = out / ".smle-ledger.jsonl"
    whole = ledger.read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    assert b'"report"' in last
    ledger.write_bytes(whole[: -len(last) // 2 if lost == "half a line" else -len(last)])
    assert run(noisy, out, "--resume") == 0
    assert "1 done, 2 kept" in capsys.readouterr().err
    assert run(noisy, out, "--resume") == 0
    assert "3 kept" in capsys.readouterr().err


def test_resume_recognises_another_model(
    run: Run, noisy: Path, tmp_path: Path, model_folder: Path
) -> None:
    other = shutil.copytree(model_folder, tmp_path / "other")
    recipe = (other / "recipe.toml").read_text()
    assert run(noisy, tmp_path / "out") == 0
    before = (tmp_path / "out" / "a.wav").stat().st_mtime_ns
    (other / "recipe.toml").write_text(recipe.replace("segment_s = 0.3", "segment_s = 0.5"))
    assert run(noisy, tmp_path / "out", "--resume", "--model", other) == 0
    assert (tmp_path / "out" / "a.wav").stat().st_mtime_ns != before


def test_resume_keeps_what_the_user_made_of_an_output(
    run: Run, noisy: Path, tmp_path: Path
) -> None:
    assert run(noisy, tmp_path / "out") == 0
    (tmp_path / "out" / "a.wav").write_text("edited")
    assert run(noisy, tmp_path / "out", "--resume", "--atten-lim", "6") == 3
    assert (tmp_path / "out" / "a.wav").read_text() == "edited"


def test_resume_keeps_what_was_made_of_another_folders_file(
    run: Run, noisy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    assert run(noisy, out) == 0
    before = files_below(out)
    shutil.copytree(noisy, other)
    assert run(other, out, "--resume") == 0  # the same sound: nothing to do
    samples, rate = sf.read(other / "a.wav")
    sf.write(other / "a.wav", samples / 2, rate)
    capsys.readouterr()
    assert run(other, out) == 1
    said = capsys.readouterr().err
    assert "out/a.wav: exists already and is kept; no run on record left it so" in said
    assert "out/b.flac: exists already and is kept; overwrite it or resume" in said
    assert run(other, out, "--resume") == 3
    assert files_below(out) == before


def test_resume_keeps_an_output_that_was_edited_and_is_as_long(
    run: Run, noisy: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert run(noisy, out) == 0
    louder = 1.5 * read(out / "a.wav")[0]
    write(out / "a.wav", louder, 16_000, overwrite=True)
    edited = (out / "a.wav").read_bytes()
    assert run(noisy, out, "--resume", "--atten-lim", "6") == 3
    assert (out / "a.wav").read_bytes() == edited


def test_resume_keeps_what_the_user_put_where_a_file_had_failed(
    run: Run, noisy: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    sound = (noisy / "a.wav").read_bytes()
    (noisy / "a.wav").write_text("no audio")
    assert run(noisy, out) == 3
    (out / "a.wav").write_text("precious")
    (noisy / "a.wav").write_bytes(sound)
    assert run(noisy, out, "--resume") == 3
    assert (out / "a.wav").read_text() == "precious"


def test_a_result_of_ours_may_be_replaced_after_its_input_was_damaged_for_a_while(
    run: Run, noisy: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert run(noisy, out) == 0
    sound = (noisy / "a.wav").read_bytes()
    (noisy / "a.wav").write_text("no audio")
    assert run(noisy, out, "--resume", "--atten-lim", "6") == 3
    before = (out / "a.wav").read_bytes()
    (noisy / "a.wav").write_bytes(sound)
    assert run(noisy, out, "--resume", "--atten-lim", "6") == 0
    assert (out / "a.wav").read_bytes() != before


def test_resume_leaves_a_link_that_came_in_an_outputs_place(
    run: Run, noisy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(noisy, tmp_path / "out") == 0
    (tmp_path / "out" / "a.wav").unlink()
    (tmp_path / "out" / "a.wav").symlink_to(tmp_path / "nowhere")
    (tmp_path / "out" / "b.flac").unlink()
    assert run(noisy, tmp_path / "out", "--resume") == 3
    assert "out/a.wav: exists already and is kept" in capsys.readouterr().err
    assert (tmp_path / "out" / "a.wav").is_symlink()
    assert (tmp_path / "out" / "b.flac").exists()


def test_two_runs_never_share_an_output_folder(
    run: Run, noisy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from smle.batch.ledger import Ledger

    (tmp_path / "out").mkdir()
    with Ledger(tmp_path / "out"):
        assert run(noisy, tmp_path / "out") == 1
    assert "another run is writing here" in capsys.readouterr().err


def test_dry_run_says_what_would_be_done_and_touches_nothing(
    run: Run, noisy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (noisy / "notes.txt").write_text("notes")
    assert run(noisy, tmp_path / "out", "--dry-run", "--format", "flac") == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == ["enhance", "enhance", "enhance", "leave"]
    assert rows[1][2] == str(tmp_path / "out" / "b.flac")
    assert not (tmp_path / "out").exists()
    assert run(noisy, tmp_path / "out", "--format", "flac", "--quiet") == 0
    before = files_below(tmp_path)
    assert run(noisy, tmp_path / "out", "--dry-run", "--format", "flac") == 0
    assert run(noisy, tmp_path / "out", "--dry-run", "--format", "flac", "--resume") == 0
    actions = [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()]
    assert actions == ["refuse"] * 3 + ["leave"] + ["keep"] * 3 + ["leave"]
    assert files_below(tmp_path) == before


def test_reports_tell_the_same_in_every_format(run: Run, noisy: Path, tmp_path: Path) -> None:
    (noisy / "bad.wav").write_text("no")
    for kind in ("json", "jsonl", "csv"):
        assert run(noisy, tmp_path / kind, "--report", tmp_path / f"r.{kind}") == 3
    whole = json.loads((tmp_path / "r.json").read_text())
    assert whole["schema"] == "smle.enhance/1"
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert lines[0]["schema"] == whole["schema"]
    with (tmp_path / "r.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    by_input = [
        {Path(one["input"]).relative_to(noisy).as_posix(): one for one in records}
        for records in (whole["files"], lines[1:], rows)
    ]
    assert [sorted(one) for one in by_input] == [["a.wav", "b.flac", "bad.wav", "sub/a.wav"]] * 3
    for records in by_input:
        assert float(records["b.flac"]["seconds"]) == 1.1
        assert int(records["b.flac"]["channels"]) == 2
        assert records["b.flac"]["expert"] in ("one", "two", "three", "generalist")
        assert records["bad.wav"]["status"] == "failed"
        assert "no audio" in records["bad.wav"]["error"]
    segments = by_input[0]["b.flac"]["segments"]
    assert len(segments) == 2
    assert segments[0][0]["start_s"] == 0
    assert segments[0][-1]["stop_s"] == pytest.approx(1.1)


def test_a_report_may_stand_in_the_output_folder(run: Run, noisy: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    assert run(noisy, out, "--report", out / "r.json") == 0
    assert len(json.loads((out / "r.json").read_text())["files"]) == 3
    assert sorted(files_below(out)) == ["a.wav", "b.flac", "r.json", "sub/a.wav"]


def test_names_that_would_collide_are_kept_apart(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for seed, name in enumerate(["x.wav", "x.flac", "X.aiff", "x.wav.flac", "y.mp3"]):
        write(folder / name, sound(0.2, seed=seed), 16_000)
    assert run(folder, tmp_path / "out", "--format", "wav") == 0
    names = sorted(files_below(tmp_path / "out"))
    assert names == ["X.aiff.wav", "x.flac.wav", "x.wav.wav", "x.wav~.wav", "y.wav"]


def test_an_output_folder_inside_the_input_is_not_taken_for_input(run: Run, noisy: Path) -> None:
    assert run(noisy, noisy / "clean") == 0
    assert run(noisy, noisy / "clean", "--resume") == 0
    clean = [name for name in files_below(noisy) if name.startswith("clean/")]
    assert clean == ["clean/a.wav", "clean/b.flac", "clean/sub/a.wav"]


def test_a_suffix_lets_outputs_stand_beside_their_inputs(run: Run, noisy: Path) -> None:
    before = files_below(noisy)
    assert run(noisy, noisy, "--suffix", "_clean") == 0
    assert run(noisy, noisy, "--suffix", "_clean", "--resume") == 0
    after = files_below(noisy)
    assert sorted(set(after) - set(before)) == ["a_clean.wav", "b_clean.flac", "sub/a_clean.wav"]
    assert {name: after[name] for name in before} == before


def test_outputs_with_a_suffix_are_never_taken_for_inputs(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.wav", "a.flac"):
        write(tmp_path / name, sound(0.2), 16_000)
    options = ("--suffix", "_clean", "--format", "flac")
    assert run(tmp_path, tmp_path, *options) == 0
    made = files_below(tmp_path)
    assert len(made) == 4
    capsys.readouterr()
    assert run(tmp_path, tmp_path, *options, "--resume", "--dry-run") == 0
    assert [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()] == ["keep"] * 2


def test_a_link_that_leads_nowhere_is_told_of(
    run: Run, noisy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (noisy / "gone.wav").symlink_to("nowhere.wav")
    (noisy / "self.wav").symlink_to("self.wav")
    assert run(noisy, tmp_path / "out") == 3
    said = capsys.readouterr().err
    assert "gone.wav: cannot be opened (No such file" in said
    assert "self.wav: cannot be opened (Too many levels" in said
    assert len(files_below(tmp_path / "out")) == 3


def test_a_folder_that_cannot_be_listed_is_told_of(
    run: Run,
    noisy: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    genuine = os.scandir

    def closed(folder: str) -> object:  # as permissions would have it for anyone but root
        if str(folder).endswith("sub"):
            raise PermissionError(13, "Permission denied", str(folder))
        return genuine(folder)

    monkeypatch.setattr(os, "scandir", closed)
    assert run(noisy, tmp_path / "out") == 3
    assert "noisy/sub: cannot be listed (Permission denied)" in capsys.readouterr().err
    assert sorted(files_below(tmp_path / "out")) == ["a.wav", "b.flac"]
    assert run(noisy / "sub", tmp_path / "out2") == 1
    assert "noisy/sub: cannot be listed (Permission denied)" in capsys.readouterr().err


def test_an_input_is_never_replaced_even_with_force(
    run: Run, noisy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (noisy / "sub" / "sub").mkdir()
    write(noisy / "sub" / "sub" / "a.wav", sound(0.2), 16_000)
    before = files_below(noisy)
    assert run(noisy / "sub", noisy, "--force", "--suffix", "") in (0, 1)
    after = files_below(noisy)
    if after["sub/a.wav"] != before["sub/a.wav"]:
        pytest.fail("an input was replaced")


def test_one_file_into_a_file_or_a_folder(run: Run, noisy: Path, tmp_path: Path) -> None:
    assert run(noisy / "a.wav", tmp_path / "deep" / "out.flac") == 0
    assert sf.info(tmp_path / "deep" / "out.flac").format == "FLAC"
    assert run(noisy / "a.wav", tmp_path / "folder", "--suffix", "_clean") == 0
    assert sorted(files_below(tmp_path / "folder")) == ["a_clean.wav"]
    assert not list(tmp_path.rglob(".smle*"))


def test_one_file_into_formats_that_only_its_name_tells(
    run: Run, noisy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = {"a.caf": "CAF", "a.w64": "W64", "a.au": "AU", "a.bwf": "WAV", "a.rf64": "WAV"}
    for name, format in made.items():
        assert run(noisy / "a.wav", tmp_path / "out" / name) == 0
        assert sf.info(tmp_path / "out" / name).format == format
    capsys.readouterr()
    assert run(noisy / "a.wav", tmp_path / "out" / "a.m4a") == 2
    assert "a.m4a: .m4a is read, not written; name it .wav" in capsys.readouterr().err
    assert sorted(files_below(tmp_path / "out")) == sorted(made)


def test_what_is_written_as_mp3_is_named_so(run: Run, noisy: Path, tmp_path: Path) -> None:
    write(tmp_path / "a.mp3", sound(0.3), 16_000)
    (tmp_path / "a.mp3").rename(noisy / "old.mp2")
    assert run(noisy, tmp_path / "out") == 0
    assert "old.mp3" in files_below(tmp_path / "out")


def test_one_file_into_a_folder_with_a_dot_in_its_name(
    run: Run, noisy: Path, tmp_path: Path
) -> None:
    for name in ("ex.v1", "ex.flac"):
        (tmp_path / name).mkdir()
    for name in ("ex.v1", "ex.flac", "results.2024"):
        assert run(noisy / "a.wav", tmp_path / name) == 0
        assert sorted(files_below(tmp_path / name)) == ["a.wav"]


def test_others_are_copied_when_asked(run: Run, noisy: Path, tmp_path: Path) -> None:
    (noisy / "sub" / "notes.txt").write_text("notes")
    assert run(noisy, tmp_path / "out", "--copy-others") == 0
    assert (tmp_path / "out" / "sub" / "notes.txt").read_text() == "notes"


def test_resume_does_not_take_a_stale_copy_for_its_own(
    run: Run, noisy: Path, tmp_path: Path
) -> None:
    (noisy / "notes.txt").write_text("hello")
    assert run(noisy, tmp_path / "out", "--copy-others") == 0
    time = (noisy / "notes.txt").stat().st_mtime_ns
    (noisy / "notes.txt").write_text("jello")
    os.utime(noisy / "notes.txt", ns=(time, time))
    assert run(noisy, tmp_path / "out", "--copy-others", "--resume") == 3
    assert run(noisy, tmp_path / "out", "--copy-others", "--force") == 0
    assert (tmp_path / "out" / "notes.txt").read_text() == "jello"


def test_resume_complains_of_no_copy_of_its_own(
    run: Run, noisy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("edited.txt", "notes.txt"):
        (noisy / name).write_text("notes")
    assert run(noisy, tmp_path / "out", "--copy-others") == 0
    (tmp_path / "out" / "edited.txt").write_text("precious")
    capsys.readouterr()
    assert run(noisy, tmp_path / "out", "--copy-others", "--resume") == 3
    said = capsys.readouterr().err
    assert "out/edited.txt: exists already and is kept" in said
    assert "notes.txt" not in said
    assert (tmp_path / "out" / "edited.txt").read_text() == "precious"


def test_tags_of_every_alphabet_go_through_mp3(run: Run, tmp_path: Path) -> None:
    tags = {"title": "Über die Жизнь", "artist": "A", "comment": "音", "tracknumber": "3"}
    write(tmp_path / "a.flac", sound(0.3), 16_000, tags=tags)
    for source, target in (("a.flac", "b.mp3"), ("b.mp3", "c.mp3"), ("c.mp3", "d.flac")):
        assert run(tmp_path / source, tmp_path / target) == 0
        with AudioReader(tmp_path / target) as reader:
            assert tags.items() <= reader.tags.items()
            assert reader.info.seconds == 0.3
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "c.mp3")) as other:  # FFmpeg's eyes, not libsndfile's
        assert other.metadata["title"] == tags["title"]
        assert other.metadata["comment"] == tags["comment"]


def test_the_loudspeakers_of_channels_are_kept(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write(path, sound(0.3, channels=6), 16_000)
    sf.write(path, sf.read(path)[0], 16_000, format="WAVEX", subtype="PCM_16")
    content = bytearray(path.read_bytes())
    mask = slice(content.index(b"fmt ") + 28, content.index(b"fmt ") + 32)
    content[mask] = side_not_back = struct.pack("<I", 0x60F)
    path.write_bytes(content)
    assert run(path, tmp_path / "b.wav") == 0
    assert (tmp_path / "b.wav").read_bytes()[mask] == side_not_back
    assert run(path, tmp_path / "c.flac") == 0


def test_tags_of_old_programs_are_read(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "a.wav", sound(0.3), 16_000, tags={"comment": "Gr?n"})
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(content.replace(b"Gr?n", b"Gr\xfcn"))
    assert run(tmp_path / "a.wav", tmp_path / "b.wav") == 0
    with AudioReader(tmp_path / "b.wav") as reader:
        assert reader.tags["comment"] == "Grün"


def test_tags_are_kept(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "a.flac", sound(0.3), 16_000, tags={"title": "Täg", "artist": "Nobody"})
    assert run(tmp_path / "a.flac", tmp_path / "b.flac") == 0
    with sf.SoundFile(tmp_path / "b.flac") as file:
        assert (file.title, file.artist) == ("Täg", "Nobody")


def test_an_empty_tag_costs_no_file(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "a.mp3", sound(0.3), 16_000, tags={"title": "Title"})
    assert run(tmp_path / "a.mp3", tmp_path / "b.mp3") == 0
    assert run(tmp_path / "b.mp3", tmp_path / "c.flac") == 0
    write(tmp_path / "d.flac", sound(0.3), 16_000, tags={"title": "", "artist": "A"})
    with sf.SoundFile(tmp_path / "d.flac") as file:
        assert file.artist == "A"


def test_an_input_folder_below_the_output_folder(run: Run, noisy: Path, tmp_path: Path) -> None:
    assert run(noisy, tmp_path) == 0
    assert {"a.wav", "b.flac", "sub/a.wav"} <= set(files_below(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("", "out"), "the path is empty"),
        (("noisy", ""), "the path is empty"),
        (("-", "out.wav", "--dry-run"), "--dry-run is for files and folders"),
        (("-", "out.wav", "--resume"), "--resume is for files and folders"),
        (("pipe", "out.wav"), "is a pipe or device; give -"),
        (("-", "out.wav", "--hear-first"), "--hear-first is for files and folders"),
        (("-", "out"), "out is no audio file's name"),
        (("noisy", "out", "--atten-lim", "nan"), "--atten-lim nan is no limit"),
        (("noisy", "out", "--atten-lim", "inf"), "--atten-lim inf is no limit"),
        (("noisy", "out", "--route", "²"), "--route '²' is no expert"),
        (("noisy/a.wav", "out.flac", "--format", "wav"), "--format wav contradicts out.flac"),
        (("noisy/a.wav", "out.wav", "--raw-rate", "8000"), "--raw-rate is for raw standard input"),
        (("-", "out.wav", "--raw-channels", "2"), "give its --raw-rate as well"),
        (("-", "out.wav", "--raw-rate", "0"), "--raw-rate"),
    ],
)
def test_what_makes_no_sense_is_said_and_nothing_done(
    run: Run,
    noisy: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    said: str,
) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert run(*arguments) == 2
    assert said in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_copy_that_fails_is_told_by_the_exit_code(run: Run, noisy: Path, tmp_path: Path) -> None:
    (noisy / "notes.txt").write_text("notes")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("other notes")
    assert run(noisy, tmp_path / "out", "--copy-others") == 3
    assert (tmp_path / "out" / "notes.txt").read_text() == "other notes"
    assert run(noisy, noisy, "--copy-others", "--suffix", "_clean") == 0


def test_a_report_in_a_folder_that_is_yet_to_be_made(run: Run, noisy: Path, tmp_path: Path) -> None:
    assert run(noisy, tmp_path / "out", "--report", tmp_path / "out" / "told" / "all.json") == 0
    assert len(json.loads((tmp_path / "out/told/all.json").read_text())["files"]) == 3


@pytest.mark.parametrize("suffix", ["json", "csv"])
def test_a_disk_too_full_for_the_report_loses_no_file(
    run: Run,
    noisy: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    suffix: str,
) -> None:
    def full(*_: object) -> int:
        return os.open("/dev/full", os.O_WRONLY)

    monkeypatch.setattr("smle.batch.file_report.open_held", full)
    report = tmp_path / f"all.{suffix}"
    assert run(noisy, tmp_path / "out", "--report", report) == 3
    said = capsys.readouterr().err
    assert f"all.{suffix}: cannot be written (No space left on device)" in said
    assert "3 done" in said
    assert len(files_below(tmp_path / "out")) == 3
    assert not [path for path in tmp_path.iterdir() if path.name.endswith("smle-part")]


def test_the_ledger_of_another_version_is_understood(
    run: Run, noisy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(noisy, tmp_path / "out") == 0
    ledger = tmp_path / "out" / ".smle-ledger.jsonl"
    entries = [json.loads(line) for line in ledger.read_text().splitlines()]
    for entry in entries:
        if "report" in entry:
            entry["report"]["mood"] = "good"
    strange = [{"output": "a.wav", "report": 3}, {"output": 3}, [], "a.wav"]
    ledger.write_text("".join(json.dumps(one) + "\n" for one in [*entries, *strange]))
    capsys.readouterr()
    assert run(noisy, tmp_path / "out", "--resume") == 0
    assert "3 kept" in capsys.readouterr().err


def test_what_a_killed_run_left_of_one_file_is_swept(run: Run, noisy: Path, tmp_path: Path) -> None:
    part = tmp_path / ".0123456789abcdef.smle-part"
    part.write_bytes(b"left")
    assert run(noisy / "a.wav", tmp_path / "a.wav") == 0
    assert not part.exists()


def test_an_expert_goes_by_its_name_before_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = SimpleNamespace(expert_names=("-5", "0", "other"))
    monkeypatch.setattr("smle.model.folders.recipe_of", lambda model: recipe)
    chosen = [_checked_route(route, "any") for route in ("-5", "0", "1", "2")]
    assert chosen == ["-5", "0", "0", "other"]
    assert expert_number(recipe.expert_names, "0") == 1  # as Python and the plug-in have it


@pytest.mark.parametrize("route", ["file", "folder", "two", "1", "generalist"])
def test_every_route_runs_one_expert_per_file(
    run: Run, noisy: Path, tmp_path: Path, model_folder: Path, route: str
) -> None:
    report = tmp_path / "r.json"
    assert run(noisy, tmp_path / "out", "--route", route, "--report", report) == 0
    records = json.loads(report.read_text())["files"]
    for record in records:
        for channel in record["segments"]:
            assert len({segment["expert"] for segment in channel}) == 1
    experts = {Path(one["input"]).relative_to(noisy).as_posix(): one["expert"] for one in records}
    if route in ("two", "1"):
        assert set(experts.values()) == {"two"}
    if route == "folder":
        items = [read(noisy / name) for name in ("a.wav", "b.flac")]
        assert experts["a.wav"] == experts["b.flac"] == smle.load(model_folder).pool_route(items)


def test_route_folder_pools_what_is_heard_in_a_file_alone_as_in_a_folder(tmp_path: Path) -> None:
    odd = 0.1 * np.stack([speech_like(2.0), speech_like(2.0) + 3 * noise_like(2.0)])
    assert len(set(smle.load("tiny").channel_routes([(odd, RATE_HZ)]))) == 2
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder / "a.wav", odd.astype(np.float32), RATE_HZ)
    for noisy, out in ((folder, tmp_path / "out"), (folder / "a.wav", tmp_path / "alone.wav")):
        options = ("--model", "tiny", "--route", "folder", "--jobs", "1")
        assert exit_code(["enhance", str(noisy), str(out), *options]) == 0
    assert (tmp_path / "alone.wav").read_bytes() == (tmp_path / "out" / "a.wav").read_bytes()


def test_quiet_says_nothing_but_errors(
    run: Run, noisy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(noisy, tmp_path / "out", "--quiet") == 0
    assert capsys.readouterr() == ("", "")
    (noisy / "bad.wav").write_text("no")
    assert run(noisy, tmp_path / "out", "--quiet", "--resume") == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert [line for line in said.err.splitlines() if line] == [
        line for line in said.err.splitlines() if "bad.wav: no audio" in line
    ]
