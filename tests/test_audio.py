"""Files in, files out: what is read back is what was written, and bad files say why."""

from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from processes import ENVIRONMENT

from smle.batch.file_report import ReportFile
from smle.batch.ledger import Ledger
from smle.errors import AudioError
from smle.files.audio import AudioReader, AudioWriter, find_audio, probe, read, write
from smle.files.formats import SequentialFile
from smle.files.locks import lock
from smle.files.part_files import PartFile, remove_parts


def tone(frames: int, channels: int = 1, sample_rate: int = 16_000) -> np.ndarray:
    """Sines, another pitch in each channel, shape (channels, time)."""
    t = np.arange(frames) / sample_rate
    pitches = 220.0 * (1 + np.arange(channels))[:, None]
    return (0.5 * np.sin(2 * np.pi * pitches * t)).astype(np.float32)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


DEPTHS = [
    ("wav", "PCM_U8", 8),
    ("wav", "PCM_16", 16),
    ("wav", "PCM_24", 24),
    ("wav", "PCM_32", 24),  # float32 carries 24 bits
    ("flac", "PCM_S8", 8),
    ("flac", "PCM_16", 16),
    ("flac", "PCM_24", 24),
    ("aiff", "PCM_S8", 8),
    ("aiff", "PCM_16", 16),
    ("aiff", "PCM_24", 24),
]


@pytest.mark.parametrize(("format", "subtype", "bits"), DEPTHS)
def test_integers_survive_a_round_trip_bit_for_bit(
    tmp_path: Path, format: str, subtype: str, bits: int
) -> None:
    full = 2 ** (bits - 1)
    numbers = np.random.default_rng(0).integers(-full, full, size=(2, 4000))
    numbers[:, :2] = [-full, full - 1]
    path = tmp_path / f"a.{format}"
    assert write(path, (numbers / full).astype(np.float32), 48_000, subtype=subtype) == 0
    stored, rate = sf.read(path, dtype="int32", always_2d=True)
    assert rate == 48_000
    assert np.array_equal(stored.T >> (32 - bits), numbers)
    back, _ = read(path)
    assert np.array_equal(back * full, numbers)


@pytest.mark.parametrize("channels", [1, 2, 6, 8])
@pytest.mark.parametrize("sample_rate", [8_000, 11_025, 44_100, 96_000, 192_000])
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_wav_keeps_rate_channels_length_and_depth(
    tmp_path: Path, channels: int, sample_rate: int, subtype: str
) -> None:
    path = tmp_path / "a.wav"
    write(path, tone(1001, channels, sample_rate), sample_rate, subtype=subtype)
    info = probe(path)
    assert (info.sample_rate, info.channels, info.frames) == (sample_rate, channels, 1001)
    assert (info.format, info.subtype) == ("WAV", subtype)


@pytest.mark.parametrize(
    ("name", "format", "sample_rate"),
    [
        ("a.mp3", "mp3", 44_100),
        ("a.mp3", "mp3", 16_000),
        ("a.ogg", "ogg", 22_050),
        ("a.opus", "opus", 48_000),
        ("a.opus", "opus", 16_000),
        ("a.flac", "flac", 44_100),
    ],
)
def test_codecs_keep_the_length_and_blocks_equal_the_whole(
    tmp_path: Path, name: str, format: str, sample_rate: int
) -> None:
    path = tmp_path / name
    audio = tone(sample_rate * 3 + 17, 2, sample_rate)
    with AudioWriter(
        path, sample_rate, 2, format=sf_format(format), subtype=sf_subtype(format)
    ) as writer:
        for start in range(0, audio.shape[1], 5000):
            writer.write(audio[:, start : start + 5000])
    assert probe(path).frames == audio.shape[1]
    with SequentialFile(path) as file:
        whole = file.read(audio.shape[1] + 1, dtype="float32", always_2d=True).T
    with AudioReader(path) as reader:
        blocks = np.concatenate(list(reader.blocks(777)), axis=1)
    assert np.array_equal(blocks, whole)
    middle = slice(sample_rate, 2 * sample_rate)
    error = blocks[:, middle] - audio[:, middle]
    assert np.mean(error**2) < 0.01 * np.mean(audio**2)


def sf_format(name: str) -> str:
    return {"opus": "OGG"}.get(name, name.upper())


def sf_subtype(name: str) -> str:
    return {"mp3": "MPEG_LAYER_III", "ogg": "VORBIS", "opus": "OPUS"}.get(name, "PCM_16")


def test_full_scale_is_limited_and_counted(tmp_path: Path) -> None:
    audio = np.array([[0.0, 1.0, 1.5, -2.0, -1.0]], np.float32)
    assert write(tmp_path / "a.wav", audio, 16_000) == 2
    back, _ = read(tmp_path / "a.wav")
    assert np.allclose(back, [[0, 1, 1, -1, -1]], atol=1e-4)
    assert write(tmp_path / "b.wav", audio, 16_000, subtype="FLOAT") == 0
    assert np.array_equal(read(tmp_path / "b.wav")[0], audio)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.ogg", "a.aiff"])
def test_tags_are_kept(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, tone(4000), 16_000, tags={"title": "Ein Tëst", "artist": "Nobody"})
    with AudioReader(tmp_path / name) as reader:
        tags = reader.tags
    assert tags["title"] == "Ein Tëst"
    assert name == "a.aiff" or tags["artist"] == "Nobody"


def test_read_resamples_and_mixes_down(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", tone(44_100, 2, 44_100), 44_100, subtype="FLOAT")
    audio, rate = read(tmp_path / "a.wav", sample_rate=16_000, mono=True)
    assert (audio.shape, rate) == ((1, 16_000), 16_000)
    assert audio.dtype == np.float32
    expected = tone(16_000, 2, 16_000).mean(axis=0)
    assert np.abs(audio[0] - expected)[100:-100].max() < 1e-3


def header(sample_rate: int = 16_000, channels: int = 1, data: bytes = b"\0" * 800) -> bytes:
    fmt = struct.pack("<HHIIHH", 1, channels, sample_rate, sample_rate * 2, 2 * channels, 16)
    body = b"WAVEfmt " + struct.pack("<I", 16) + fmt + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def cut_flac(path: Path) -> None:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (1, 60_000)).astype(np.float32)
    write(path, noise, 16_000, format="flac")
    path.write_bytes(path.read_bytes()[:50_000])


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda p: None, "No such file"),
    "folder": (lambda p: p.mkdir(), "is a folder"),
    "text": (lambda p: p.write_text("hello, I am not audio\n" * 50), "no audio"),
    "empty": (lambda p: p.write_bytes(b""), "is empty"),
    "no samples": (lambda p: p.write_bytes(header(data=b"")), "holds no samples"),
    "truncated wav": (lambda p: p.write_bytes(header()[:400]), "truncated: 356 of 800 bytes"),
    "truncated flac": (cut_flac, "damaged after|truncated"),
    "rate of 1 Hz": (lambda p: p.write_bytes(header(1)), "sample rate 1 Hz"),
    "rate of 4 GHz": (lambda p: p.write_bytes(header(2**31 - 1)), "sample rate 2147483647 Hz"),
    "255 channels": (lambda p: p.write_bytes(header(channels=255)), "255 channels"),
    "not a number": (
        lambda p: sf.write(p, np.array([0, 0.5, np.nan]), 8000, "FLOAT", format="WAV"),
        r"nan at 0.000 s",
    ),
    "infinite": (
        lambda p: sf.write(p, np.array([0, -np.inf]), 8000, "DOUBLE", format="WAV"),
        "-inf at",
    ),
    "absurdly loud": (
        lambda p: sf.write(p, np.array([1e30]), 8000, "FLOAT", format="WAV"),
        "1e.30 at",
    ),
    "fifo": (lambda p: os.mkfifo(p), "not a regular file"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_gives_one_clear_line(tmp_path: Path, case: str) -> None:
    make, pattern = BAD[case]
    path = tmp_path / "bad\nname.wav"
    make(path)
    with pytest.raises(AudioError, match=pattern) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert "bad\\nname.wav" in str(caught.value)


def test_a_wav_of_unknown_length_is_read_to_its_end(tmp_path: Path) -> None:
    streamed = bytearray(header(data=b"\1\0" * 400))
    streamed[40:44] = streamed[4:8] = b"\xff" * 4
    (tmp_path / "a.wav").write_bytes(streamed)
    assert read(tmp_path / "a.wav")[0].shape == (1, 400)


def test_nothing_existing_is_replaced_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_text("precious")
    with pytest.raises(AudioError, match="exists already"):
        write(path, tone(100), 16_000)
    assert path.read_text() == "precious"
    write(path, tone(100), 16_000, overwrite=True)
    assert probe(path).frames == 100


def test_a_file_that_appears_while_writing_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    writer = AudioWriter(path, 16_000, 1, format="WAV", subtype="PCM_16")
    with pytest.raises(AudioError, match="exists already"), writer:
        writer.write(tone(100))
        path.write_text("precious")
    assert path.read_text() == "precious"
    assert names(tmp_path) == ["a.wav"]


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        AudioWriter(tmp_path / "a.flac", 16_000, 1, format="FLAC", subtype="PCM_16") as writer,
    ):
        writer.write(tone(10_000))
        assert not (tmp_path / "a.flac").exists()
        raise ZeroDivisionError
    assert names(tmp_path) == []


@pytest.mark.parametrize("format", ["wav", "flac", "mp3", "ogg"])
@pytest.mark.parametrize("room", [0, 3000])
def test_a_full_disk_is_said_in_the_systems_words(
    tmp_path: Path, format: str, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullFile(PartFile):
        def write(self, data: bytes) -> int:
            if self.tell() + len(data) > room:
                self.error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return 0
            return super().write(data)

    monkeypatch.setattr("smle.files.audio_writer.PartFile", FullFile)
    with pytest.raises(AudioError, match="No space left on device"):
        write(tmp_path / f"a.{format}", tone(50_000), 16_000)
    assert names(tmp_path) == []


def test_a_missing_folder_and_an_impossible_encoding_are_errors(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="No such file or directory"):
        write(tmp_path / "nowhere" / "a.wav", tone(100), 16_000)
    with pytest.raises(AudioError, match=r"a.flac: FLAC holds up to 8 channels, not 9"):
        write(tmp_path / "a.flac", tone(100, channels=9), 16_000)
    with pytest.raises(AudioError, match=r"a.mp3: MPEG_LAYER_III knows 8000.* not 96000"):
        write(tmp_path / "a.mp3", tone(100), 96_000)
    with pytest.raises(AudioError, match="unknown format 'xyz'"):
        write(tmp_path / "a.xyz", tone(100), 16_000)
    assert names(tmp_path) == []


def test_leftovers_of_a_killed_run_are_swept(tmp_path: Path) -> None:
    code = (
        "import os, sys; from smle.files.audio import AudioWriter;"
        "writer = AudioWriter(sys.argv[1], 16_000, 1, format='WAV', subtype='PCM_16');"
        "writer.__enter__(); os.kill(os.getpid(), 9)"
    )
    command = [sys.executable, "-c", code, tmp_path / "a.wav"]
    subprocess.run(command, env=ENVIRONMENT, check=False)
    assert len(names(tmp_path)) == 1
    assert find_audio(tmp_path) == []
    assert remove_parts(tmp_path) == 1
    assert names(tmp_path) == []


def test_what_is_still_being_written_is_not_swept(tmp_path: Path) -> None:
    with (
        AudioWriter(tmp_path / "a.wav", 16_000, 1, format="WAV", subtype="PCM_16") as writer,
        ReportFile(tmp_path / "r.json", {}),
    ):
        writer.write(tone(100))
        assert remove_parts(tmp_path) == 0
    assert names(tmp_path) == ["a.wav", "r.json"]


def test_a_sweep_that_comes_before_the_lock_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept = []

    def late(descriptor: int, *, wait: bool = False) -> str:
        if not swept:
            swept.append(remove_parts(tmp_path))
        return lock(descriptor, wait=wait)

    monkeypatch.setattr("smle.files.locks.lock", late)
    write(tmp_path / "a.wav", tone(100), 16_000)
    assert swept == [1]
    assert names(tmp_path) == ["a.wav"]


def test_files_are_written_where_nothing_can_be_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    write(tmp_path / "a.wav", tone(100), 16_000)
    assert names(tmp_path) == ["a.wav"]


def test_where_no_locks_are_nothing_waits_and_nothing_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", none)
    with (
        AudioWriter(tmp_path / "a.wav", 16_000, 1, format="WAV", subtype="PCM_16") as writer,
        Ledger(tmp_path),
    ):
        writer.write(tone(100))
        assert remove_parts(tmp_path) == 0
    assert (tmp_path / "a.wav").is_file()


def test_a_disk_that_is_full_before_the_sound_is_said_to_be_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: PartFile, data: bytes) -> int:
        self.error = OSError(errno.ENOSPC, "No space left on device")
        return 0

    monkeypatch.setattr(PartFile, "write", full)
    with pytest.raises(AudioError, match="No space left"):
        write(tmp_path / "a.mp3", tone(4000), 16_000, tags={"title": "A"})
    assert names(tmp_path) == []


def test_find_audio_is_sorted_recursive_and_survives_loops(tmp_path: Path) -> None:
    names = ["b.WAV", "a.flac", "deep/er/c.mp3", "deep/ünï \"q'\n.ogg", ".hidden.wav", "notes.txt"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "deep" / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.wav")
    found = [path.relative_to(tmp_path).as_posix() for path in find_audio(tmp_path)]
    assert found == ["a.flac", "b.WAV", "deep/er/c.mp3", "deep/ünï \"q'\n.ogg"]
    with pytest.raises(AudioError, match="no such folder"):
        find_audio(tmp_path / "nowhere")


def test_a_container_of_an_unknown_codec_gets_one_line(tmp_path: Path) -> None:
    path = container(tmp_path / "a.mkv")
    path.write_bytes(path.read_bytes().replace(b"A_AAC", b"A_XYZ"))
    with pytest.raises(AudioError, match="unknown codec"):
        probe(path)


def test_a_container_with_a_garbled_tag_is_read(tmp_path: Path) -> None:
    path = container(tmp_path / "a.m4a", title="Gr?n")
    path.write_bytes(path.read_bytes().replace(b"Gr?n", b"Gr\xfcn"))
    with AudioReader(path) as reader:
        assert reader.tags["title"].startswith("Gr")


def container(path: Path, **tags: str) -> Path:
    """A second of tone in a container."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as file:
        file.metadata.update(tags)
        stream = file.add_stream("aac", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(48_000, 1, 48_000), "fltp", "mono")
        frame.sample_rate = 48_000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            file.mux(packet)
    return path


@pytest.mark.parametrize("suffix", [".m4a", ".mp4", ".mkv"])
def test_the_sound_of_a_container_is_decoded(tmp_path: Path, suffix: str) -> None:
    av = pytest.importorskip("av")
    audio = tone(48_000, 2, 48_000)
    path = tmp_path / f"a{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48_000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(audio, format="fltp", layout="stereo")
        frame.sample_rate = 48_000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    back, rate = read(path)
    assert (rate, back.shape[0]) == (48_000, 2)
    assert abs(back.shape[1] - 48_000) <= 2048
    assert probe(path).format == "CONTAINER"
    middle = back[:, 12_000:36_000] * np.hanning(24_000)
    assert np.array_equal(np.abs(np.fft.rfft(middle)).argmax(axis=1) * 2, [220, 440])
    assert np.allclose(back[:, 12_000:36_000].std(axis=1), audio.std(axis=1), rtol=0.01)
