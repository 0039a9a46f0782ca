"""`smle` as a process: pipes, signals, terminals, start-up."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import random
import re
import resource
import signal
import subprocess
import sys
import termios
import time
from array import array
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from processes import ENVIRONMENT, outputs, sound, start, wait_for_outputs, whole_outputs

import smle
from smle.batch.ledger import LEDGER_NAME
from smle.files.audio import read, write


def test_help_and_version_load_neither_torch_nor_a_command() -> None:
    code = (
        "import sys; from smle_cli.main import exit_code; assert exit_code(['--help']) == 0;"
        "assert not {'torch', 'numpy', 'rich', 'joblib'} & set(sys.modules);"
        "assert not [m for m in sys.modules if m.endswith('_command')]"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for command in ("enhance", "models", "train"):
        assert re.search(rf"^  {command} +\w", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("subtype", "step", "channels"), [("PCM_16", 2.0**-15, 1), ("FLOAT", 1e-6, 3)]
)
def test_a_wav_through_a_pipe_equals_the_file(
    tmp_path: Path, model_folder: Path, subtype: str, step: float, channels: int
) -> None:
    write(tmp_path / "in.wav", sound(1.3, channels=channels), 16_000, subtype=subtype)
    with (tmp_path / "in.wav").open("rb") as source, (tmp_path / "piped.wav").open("wb") as sink:
        process = start("enhance", "--model", model_folder, "-", "-", stdin=source, stdout=sink)
        assert process.wait() == 0, process.communicate()
    piped, rate = read(tmp_path / "piped.wav")
    assert rate == 16_000
    assert sf.info(tmp_path / "piped.wav").subtype == subtype
    audio, _ = read(tmp_path / "in.wav")
    assert np.abs(piped - smle.load(model_folder)(audio, 16_000)).max() <= step


@pytest.mark.parametrize("subtype", ["ULAW", "ALAW"])
def test_a_telephones_encoding_goes_into_a_pipe_as_integers(
    tmp_path: Path, model_folder: Path, subtype: str
) -> None:
    write(tmp_path / "in.wav", sound(0.5, 8_000), 8_000, subtype=subtype)
    with (tmp_path / "piped.wav").open("wb") as sink:
        process = start("enhance", "--model", model_folder, tmp_path / "in.wav", "-", stdout=sink)
        assert process.wait() == 0, process.communicate()
    piped, rate = read(tmp_path / "piped.wav")
    assert rate == 8_000
    assert sf.info(tmp_path / "piped.wav").subtype == "PCM_16"
    audio, _ = read(tmp_path / "in.wav")
    assert np.abs(piped - smle.load(model_folder)(audio, 8_000)).max() <= 2.0**-15


def test_a_batch_leaves_a_recording_into_its_folder_alone(
    tmp_path: Path, model_folder: Path
) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "a.wav", sound(1.0), 16_000)
    data = (tmp_path / "in" / "a.wav").read_bytes()
    out = tmp_path / "out"
    out.mkdir()
    recording = start(
        *("enhance", "--model", model_folder, "-", out / "rec.wav"),
        stdin=subprocess.PIPE,
        bufsize=0,
    )
    assert recording.stdin
    recording.stdin.write(data[:20_000])
    while not list(out.iterdir()):
        assert recording.poll() is None
        time.sleep(0.01)
    batch = start("enhance", "--model", model_folder, tmp_path / "in", out)
    _, err = batch.communicate()
    assert batch.returncode == 0, err
    _, err = recording.communicate(data[20_000:])
    assert recording.returncode == 0, err
    assert sorted(outputs(out)) == ["a.wav", "rec.wav"]
    assert read(out / "rec.wav")[0].shape == (1, 16_000)


def test_a_pipe_that_does_not_wait_is_heard_to_its_end(tmp_path: Path, model_folder: Path) -> None:
    audio = sound(1.0)[0].tobytes()
    reading, writing = os.pipe()
    os.set_blocking(reading, False)  # as some programs leave the pipes of those that they start
    os.write(writing, audio[:10_000])
    process = start(
        *("enhance", "--model", model_folder, "-", tmp_path / "a.wav"),
        *("--raw-rate", 16_000, "--raw-subtype", "FLOAT"),
        stdin=reading,
    )
    os.close(reading)
    while not list(tmp_path.glob(".*")):  # it has begun to write, so it has read what there was
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(0.2)
    for first in range(10_000, len(audio), 10_000):
        os.write(writing, audio[first : first + 10_000])
    os.close(writing)
    process.communicate()
    assert read(tmp_path / "a.wav")[0].shape == (1, 16_000)


def test_raw_samples_come_out_while_more_go_in(model_folder: Path) -> None:
    audio = sound(2.0)
    process = start(
        *("enhance", "--model", model_folder, "-", "-"),
        *("--raw-rate", 16_000, "--raw-subtype", "FLOAT"),
        stdin=subprocess.PIPE,
        bufsize=0,
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(audio[0, :16_000].tobytes())
    latency = smle.load(model_folder).stream(16_000, 1).latency
    early = b""
    while len(early) < 4 * (16_000 - latency):
        more = os.read(process.stdout.fileno(), 1 << 16)
        assert more
        early += more
    process.stdin.write(audio[0, 16_000:].tobytes())
    late, _ = process.communicate()
    assert process.returncode == 0
    estimate = np.frombuffer(early + late, np.float32)
    assert np.abs(estimate - smle.load(model_folder)(audio[0], 16_000)).max() < 1e-5


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", b"ended inside its WAV header"),
        (b"ID3 this is an mp3, or so it says", b"is no WAV"),
        (b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0", b"ended inside its WAV header"),
    ],
)
def test_a_pipe_of_something_else_gets_one_line(
    model_folder: Path, data: bytes, words: bytes
) -> None:
    process = start("enhance", "--model", model_folder, "-", "-", stdin=subprocess.PIPE)
    out, err = process.communicate(data)
    assert process.returncode == 1
    assert out == b""
    assert words in err
    assert len(err.splitlines()) == 1


def test_a_reader_that_goes_away_is_no_crash(tmp_path: Path, model_folder: Path) -> None:
    write(tmp_path / "in.wav", sound(60.0), 16_000)
    process = start("enhance", "--model", model_folder, tmp_path / "in.wav", "-")
    assert process.stdout
    process.stdout.read(1000)
    process.stdout.close()
    assert process.stderr
    assert process.stderr.read() == b""
    assert process.wait() == 1


def test_no_control_codes_go_into_a_pipe(many: Path, tmp_path: Path, model_folder: Path) -> None:
    process = start("enhance", "--model", model_folder, many / "0", tmp_path / "out")
    _, err = process.communicate()
    assert process.returncode == 0
    assert b"\x1b" not in err
    assert b"\r" not in err
    assert b"29 done" in err


def test_names_of_any_alphabet_go_into_a_file_of_any(tmp_path: Path, model_folder: Path) -> None:
    (tmp_path / "łódź").mkdir()
    write(tmp_path / "łódź" / "a.wav", sound(0.2), 16_000)
    done = start(
        *("enhance", "--model", model_folder, "--dry-run", tmp_path / "łódź", tmp_path / "out"),
        env=ENVIRONMENT | {"PYTHONIOENCODING": "cp1252"},
    )
    out, err = done.communicate()
    assert (done.returncode, err) == (0, b"")
    assert b"\\u0142\xf3d\\u017a" in out


@pytest.mark.parametrize("colour", [True, False])
def test_a_terminal_gets_a_bar_and_colours_only_if_it_wants_them(
    many: Path, tmp_path: Path, model_folder: Path, colour: bool
) -> None:
    master, slave = pty.openpty()
    environment = {key: value for key, value in ENVIRONMENT.items() if key != "NO_COLOR"}
    environment |= {"TERM": "xterm-256color", "COLUMNS": "60"}
    if not colour:
        environment["NO_COLOR"] = "1"
    (tmp_path / "in").mkdir()
    for path in (many / "0").iterdir():
        (tmp_path / "in" / path.name).symlink_to(path)
    (tmp_path / "in" / "bad.wav").write_text("no")
    process = start(
        *("enhance", "--model", model_folder, tmp_path / "in", tmp_path / "out"),
        stderr=slave,
        env=environment,
    )
    os.close(slave)
    said = b""
    while True:
        try:
            said += os.read(master, 1 << 16)
        except OSError:  # the other end is closed
            break
    assert process.wait() == 3
    assert "━".encode() in said
    assert bool(re.search(rb"\x1b\[[0-9;]*3[0-9]", said)) == colour


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_recording_that_is_interrupted_holds_what_came_until_then(
    tmp_path: Path, model_folder: Path, asked: int
) -> None:
    audio = sound(2.0)
    before = signal.getsignal(asked)
    signal.signal(asked, signal.SIG_DFL)  # under nohup the process would inherit that it is ignored
    try:
        process = start(
            *("enhance", "--model", model_folder, "--raw-rate", "16000", "--raw-subtype", "FLOAT"),
            *("-", tmp_path / "out.flac"),
            stdin=subprocess.PIPE,
        )
    finally:
        signal.signal(asked, before)
    assert process.stdin
    process.stdin.write(np.ascontiguousarray(audio.T).tobytes())
    process.stdin.flush()
    waiting = array("i", [1])
    while waiting[0]:
        assert process.poll() is None
        fcntl.ioctl(process.stdin, termios.FIONREAD, waiting)
        time.sleep(0.01)
    time.sleep(1)  # from the pipe into the hands of the enhancer
    assert not (tmp_path / "out.flac").exists()
    process.send_signal(asked)
    _, err = process.communicate()
    assert process.returncode == 128 + asked
    assert err.splitlines()[-1] == b"smle: interrupted; finished files are whole"
    clean, _ = read(tmp_path / "out.flac")
    assert np.abs(clean - smle.load(model_folder)(audio, 16_000)).max() <= 2.0**-15


def test_a_recording_that_is_interrupted_before_any_sound_leaves_nothing(
    tmp_path: Path, model_folder: Path
) -> None:
    out = tmp_path / "out.flac"
    process = start(
        *("enhance", "--model", model_folder, "--raw-rate", "16000", "-", out),
        stdin=subprocess.PIPE,
    )
    while not list(tmp_path.iterdir()):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_ends_it_at_once_and_leaves_nothing_half_done(
    many: Path, uninterrupted: Path, tmp_path: Path, model_folder: Path
) -> None:
    # A terminal tells everybody; who runs services tells everybody, or the first process alone.
    cases = [(1, os.killpg, signal.SIGINT), (2, os.killpg, signal.SIGINT)]
    cases += [(1, os.kill, signal.SIGTERM), (2, os.kill, signal.SIGTERM)]
    cases += [(2, os.killpg, signal.SIGTERM)]
    for number, (jobs, send, what) in enumerate(cases):
        out = tmp_path / f"out{number}"
        process = start(
            *("enhance", "--model", model_folder, "-j", jobs, many, out), start_new_session=True
        )
        wait_for_outputs(out, 20, process)
        send(process.pid, what)
        if number % 2:  # somebody is in a hurry
            time.sleep(0.003)
            with contextlib.suppress(ProcessLookupError):
                send(process.pid, what)
        _, err = process.communicate()
        assert process.returncode == 128 + what, err
        assert err.splitlines()[-1] == b"smle: interrupted; finished files are whole"
        assert b"Traceback" not in err
        whole = outputs(uninterrupted)
        made = outputs(out)
        assert 0 < len(made) < len(whole)
        assert [name for name in made if "smle-part" in name] == []
        assert [name for name in made if len(made[name]) != len(whole[name])] == []


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("seed", [1])
def test_a_killed_run_resumes_to_the_same_bytes(
    many: Path, uninterrupted: Path, tmp_path: Path, model_folder: Path, seed: int, jobs: int
) -> None:
    kill_and_resume(many, uninterrupted, tmp_path, model_folder, seed, jobs)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 130))
def test_a_run_killed_anywhere_resumes_to_the_same_bytes(
    many: Path, uninterrupted: Path, tmp_path: Path, model_folder: Path, seed: int
) -> None:
    kill_and_resume(many, uninterrupted, tmp_path, model_folder, seed, 1 + seed % 2)


def kill_and_resume(
    many: Path, uninterrupted: Path, out: Path, model_folder: Path, seed: int, jobs: int
) -> None:
    rng = random.Random(seed)
    command = ("enhance", "--model", model_folder, "-j", jobs, many, out)
    kept: dict[str, float] = {}
    for kills in range(rng.randrange(1, 4)):
        process = start(*command, *(("--resume",) if kills else ()))
        before = whole_outputs(out)
        goal = before + rng.randrange(1, 60)
        while process.poll() is None and whole_outputs(out) < goal:
            time.sleep(rng.uniform(0, 0.02))
        process.kill()
        process.communicate()
        for name in kept:
            assert (out / name).stat().st_mtime_ns == kept[name]
        ledger = (out / LEDGER_NAME).read_text() if (out / LEDGER_NAME).exists() else ""
        kept = {
            name: (out / name).stat().st_mtime_ns
            for name in outputs(out)
            if re.search(rf'^{{"output": "{name}", .*"report"', ledger, re.MULTILINE)
        }
    process = start(*command, "--resume")
    _, err = process.communicate()
    assert process.returncode == 0, err
    assert outputs(out) == outputs(uninterrupted)
    for name in kept:
        assert (out / name).stat().st_mtime_ns == kept[name]


def test_a_full_disk_costs_the_files_that_do_not_fit(
    many: Path, tmp_path: Path, model_folder: Path
) -> None:
    # A limit on file sizes fails a write midway, as a full disk does.
    process = start(
        *("enhance", "--model", model_folder, "-j", 1, many, tmp_path / "out"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)),
    )
    _, err = process.communicate()
    assert process.returncode == 3, err
    assert b"long.wav: cannot be written (File too large)" in err
    assert len(outputs(tmp_path / "out")) == 200


def test_an_input_that_vanishes_while_it_runs_is_reported(
    many: Path, tmp_path: Path, model_folder: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for path in sorted(many.glob("[0-3]/*")):
        (folder / path.name).write_bytes(path.read_bytes())
    process = start("enhance", "--model", model_folder, "-j", 1, folder, tmp_path / "out")
    wait_for_outputs(tmp_path / "out", 1, process)
    last = sorted(folder.iterdir())[-1]
    last.unlink()
    _, err = process.communicate()
    assert process.returncode == 3, err
    assert f"{last.name}: cannot be opened (No such file or directory)".encode() in err
    assert len(outputs(tmp_path / "out")) == len(list(folder.iterdir()))
