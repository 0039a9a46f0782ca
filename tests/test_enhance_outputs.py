"""`smle enhance`: what becomes an output, what it adds up to, and what is left alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from smle import load
from smle.batch.file_enhancement import FileOptions
from smle.batch.pipe_enhancement import enhance_pipe
from smle.errors import AudioError
from smle.files.audio import write
from smle_cli.main import exit_code

Run = Callable[..., int]
RATE = 16_000


@pytest.fixture
def run(model_folder: Path) -> Run:
    return lambda *arguments: exit_code(
        ["enhance", "--model", str(model_folder), "--jobs", "1", *map(str, arguments)]
    )


def noise(level: float = 0.1, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (level * rng.standard_normal((1, RATE // 2))).astype(np.float32)


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    folder = tmp_path / "noisy"
    folder.mkdir()
    write(folder / "a.wav", noise(), RATE)
    return folder


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_U8"])
@pytest.mark.parametrize("level", [0.1, 3.0], ids=["soft", "clipped"])
def test_what_is_kept_and_what_is_removed_add_up_to_the_input(run, tmp_path, subtype, level):
    source = tmp_path / "a.wav"
    write(source, np.clip(noise(level), -1, 1), RATE, subtype=subtype)
    assert run(source, tmp_path / "kept.wav") == 0
    assert run(source, tmp_path / "removed.wav", "--residual") == 0
    given, kept, removed = (
        sf.read(tmp_path / name)[0] for name in ("a.wav", "kept.wav", "removed.wav")
    )
    fits = np.abs(given - kept) <= 1 - 2.0**-7  # what was removed may pass full scale itself
    np.testing.assert_array_equal((kept + removed)[fits], given[fits])
    assert fits.mean() > 0.9


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_U8"])
def test_so_they_do_through_a_pipe(model_folder, tmp_path, subtype):
    write(tmp_path / "a.wav", np.clip(noise(1.0), -1, 1), RATE, subtype=subtype)
    given = sf.read(tmp_path / "a.wav")[0]
    enhancer = load(model_folder)
    outputs = []
    for residual in (False, True):
        with (tmp_path / f"{residual}.wav").open("wb", buffering=0) as sink:
            options = FileOptions(residual=residual)
            enhance_pipe(enhancer, tmp_path / "a.wav", sink, options)
        outputs.append(sf.read(tmp_path / f"{residual}.wav")[0])
    fits = np.abs(given - outputs[0]) <= 1 - 2.0**-7
    np.testing.assert_array_equal(sum(outputs)[fits], given[fits])
    assert fits.mean() > 0.9


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "ULAW", "ALAW"])
def test_samples_at_full_scale_are_counted_in_every_encoding(run, tmp_path, subtype):
    audio = noise(0.01)
    audio[0, 100:140] = 1.0
    audio[0, 200:220] = 0.9
    write(tmp_path / "a.wav", audio, RATE, subtype=subtype)
    report = tmp_path / "report.json"
    assert run(tmp_path / "a.wav", tmp_path / "out.wav", "--report", report) == 0
    assert json.loads(report.read_text())["files"][0]["noisy_clipped"] == 40


@pytest.mark.parametrize(("format", "rate"), [("opus", 44_100), ("mp3", 96_000), ("ogg", 384_000)])
def test_a_rate_that_a_codec_lacks_is_said_in_one_line(run, tmp_path, capsys, format, rate):
    write(tmp_path / "a.wav", noise(), rate)
    assert run(tmp_path / "a.wav", tmp_path / "out", "--format", format, "-q") == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert f"not {rate}" in lines[0]
    assert not list((tmp_path / "out").rglob("*.*"))
    with pytest.raises(AudioError, match=f"not {rate}"):
        write(tmp_path / f"b.{format}", noise(), rate)


def test_a_suffix_leaves_out_outputs_and_no_recordings(run, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("take.wav", "song1.wav"):
        write(folder / name, noise(), RATE)
    for _ in range(2):
        assert run(folder, folder, "--suffix", "1", "--resume", "-q") == 0
    names = sorted(path.name for path in folder.glob("*.wav"))
    assert names == ["song1.wav", "song11.wav", "take.wav", "take1.wav"]


@pytest.mark.parametrize("inside", [True, False], ids=["link-to-folder", "link-to-out"])
def test_outputs_that_a_link_leads_to_are_no_inputs(run, noisy, tmp_path, inside):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (noisy / "clean").symlink_to(elsewhere)
    out = noisy / "clean" if inside else elsewhere
    for _ in range(2):
        assert run(noisy, out, "--resume", "-q") == 0
    assert [p.name for p in elsewhere.rglob("*.wav")] == ["a.wav"]


def test_a_folder_keeps_its_name_beside_a_link_to_it(run, noisy, tmp_path):
    (noisy / "z").mkdir()
    write(noisy / "z" / "b.wav", noise(), RATE)
    (noisy / "b").symlink_to("z")
    assert run(noisy, tmp_path / "out") == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir() if p.name[0] != ".") == [
        "a.wav",
        "z",
    ]


@pytest.mark.parametrize("options", [("PCM_25",), ("PCM_24", "--format", "mp3"), ("IMA_ADPCM",)])
def test_an_encoding_that_no_file_can_have_is_refused_before_the_work(
    run, noisy, tmp_path, capsys, options
):
    assert run(noisy, tmp_path / "out", "--subtype", *options) == 2
    assert options[0] in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_an_encoding_that_one_file_cannot_have_is_told_with_its_name(run, noisy, tmp_path, capsys):
    write(noisy / "b.flac", noise(), RATE)
    assert run(noisy, tmp_path / "out", "--subtype", "FLOAT") == 3
    assert "b.flac: FLAC has no subtype FLOAT" in capsys.readouterr().err
    assert (tmp_path / "out" / "a.wav").is_file()


@pytest.mark.parametrize(("name", "code"), [("mine.json", 1), ("report.json", 0)])
def test_resuming_replaces_reports_and_no_other_files(run, noisy, tmp_path, name, code):
    report = tmp_path / "report.json"
    assert run(noisy, tmp_path / "out", "--report", report) == 0
    (tmp_path / "mine.json").write_text('{"my": "own"}')
    before = (tmp_path / name).read_text()
    assert run(noisy, tmp_path / "out", "--resume", "--report", tmp_path / name) == code
    after = (tmp_path / name).read_text()
    assert (after == before) == (name == "mine.json")
    if name == "report.json":
        assert json.loads(after)["files"][0]["status"] == "kept"


def test_a_dry_run_says_what_becomes_of_files_that_are_no_audio(run, noisy, tmp_path, capsys):
    (noisy / "note.txt").write_text("one")
    out = tmp_path / "out"

    def told(*options: str) -> str:
        capsys.readouterr()
        assert run(noisy, *options, "--copy-others", "--dry-run") == 0
        return capsys.readouterr().out.splitlines()[-1].split("\t")[0]

    assert told(str(out)) == "copy"
    assert run(noisy, out, "--copy-others") == 0
    assert told(str(out)) == "refuse"
    assert told(str(out), "--resume") == "keep"
    assert told(str(out), "--force") == "copy"
    assert told(str(noisy), "--suffix", "_c") == "leave"


def test_an_output_that_is_neither_folder_nor_sound_is_refused(run, noisy, tmp_path, capsys):
    (tmp_path / "note.txt").write_text("mine")
    assert run(noisy / "a.wav", tmp_path / "note.txt") == 1
    assert "note.txt: is no folder and no audio file" in capsys.readouterr().err
    assert (tmp_path / "note.txt").read_text() == "mine"
