"""What a WAV file holds beside its sound arrives with it."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from smle.files import audio_writer, part_files
from smle.files.audio import AudioReader, AudioWriter, probe, read, write
from smle.files.wav_chunks import append_chunks, read_chunks
from smle_cli.main import exit_code


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


BEXT = chunk(b"bext", b"a description".ljust(602, b"\0") + b"A=PCM,F=48000\r\n")
CUE = chunk(b"cue ", struct.pack("<II", 1, 7) + struct.pack("<I4sIII", 800, b"data", 0, 0, 800))
LABEL = chunk(b"LIST", b"adtl" + chunk(b"labl", struct.pack("<I", 7) + b"here\0"))
CHUNKS = BEXT + CUE + LABEL


def noise(seconds: float = 0.2) -> np.ndarray:
    rng = np.random.default_rng(1)
    return (0.1 * rng.standard_normal((1, round(16_000 * seconds)))).astype(np.float32)


def broadcast_wave(path: Path, before: bytes = BEXT, after: bytes = CUE + LABEL) -> Path:
    """A file as recorders write it: some before the sound, the rest and what nobody needs after."""
    write(path, noise(), 16_000, tags={"title": "A"})
    whole = path.read_bytes()
    at = whole.index(b"data")
    whole = whole[:at] + before + chunk(b"junk", b"odd") + whole[at:] + chunk(b"fake", b"?") + after
    path.write_bytes(whole[:4] + struct.pack("<I", len(whole) - 8) + whole[8:])
    return path


@pytest.mark.parametrize("options", [(), ("--residual",), ("--subtype", "FLOAT")])
@pytest.mark.parametrize("streamed_above", [0, 1e9])
def test_they_stay_as_they_are(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    streamed_above: float,
) -> None:
    monkeypatch.setattr("smle.batch.file_enhancement.STREAMED_ABOVE", streamed_above)
    broadcast_wave(tmp_path / "a.wav")
    out = tmp_path / "out" / "a.wav"
    assert exit_code(["enhance", str(tmp_path / "a.wav"), str(out.parent), "-q", *options]) == 0
    assert read_chunks(out) == CHUNKS
    made = out.read_bytes()
    assert struct.unpack("<I", made[4:8])[0] == len(made) - 8
    with AudioReader(out) as reader:
        assert reader.tags["title"] == "A"
        assert sum(block.shape[1] for block in reader.blocks()) == noise().shape[1]


def test_they_change_no_sample(tmp_path: Path) -> None:
    for name, chunks in (("plain.wav", b""), ("more.wav", CHUNKS)):
        with AudioWriter(
            tmp_path / name, 16_000, 1, format="WAV", subtype="PCM_24", chunks=chunks
        ) as writer:
            writer.write(noise(0.2001))  # an odd number of bytes, which is padded
    np.testing.assert_array_equal(read(tmp_path / "plain.wav")[0], read(tmp_path / "more.wav")[0])
    assert read_chunks(tmp_path / "plain.wav") == b""
    assert read_chunks(tmp_path / "more.wav") == CHUNKS


def test_a_long_file_has_its_size_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio_writer, "_become_wav_if_short", lambda file: None)
    with AudioWriter(
        tmp_path / "a.wav", 16_000, 1, format="RF64", subtype="PCM_16", chunks=CHUNKS
    ) as writer:
        writer.write(noise())
    made = (tmp_path / "a.wav").read_bytes()
    assert made[:8] == b"RF64\xff\xff\xff\xff"
    assert struct.unpack("<Q", made[20:28])[0] == len(made) - 8
    assert read_chunks(tmp_path / "a.wav") == CHUNKS
    assert probe(tmp_path / "a.wav").frames == noise().shape[1]
    with sf.SoundFile(tmp_path / "a.wav") as file:
        assert file.format == "RF64"


def test_other_formats_leave_them(tmp_path: Path) -> None:
    broadcast_wave(tmp_path / "a.wav")
    arguments = ["enhance", str(tmp_path / "a.wav"), str(tmp_path / "out"), "-q", "--format"]
    assert exit_code([*arguments, "flac"]) == 0
    assert b"bext" not in (tmp_path / "out" / "a.flac").read_bytes()


@pytest.mark.parametrize("cut", [0, 3, 11, 13, 40, 50, 300, 700, -1, -5, -40])
def test_a_torn_file_gives_what_is_whole(tmp_path: Path, cut: int) -> None:
    whole = broadcast_wave(tmp_path / "a.wav").read_bytes()
    torn = tmp_path / "torn.wav"
    torn.write_bytes(whole[:cut])
    assert CHUNKS.startswith(read_chunks(torn))
    assert read_chunks(torn) != CHUNKS


@pytest.mark.parametrize("size", [0x7FFF_F000, 0xFFFF_FFFF])
def test_a_file_from_a_pipe_has_what_stands_before_its_sound(tmp_path: Path, size: int) -> None:
    path = broadcast_wave(tmp_path / "a.wav", after=b"")
    whole = path.read_bytes()
    at = whole.index(b"data") + 4
    path.write_bytes(whole[:at] + struct.pack("<I", size) + whole[at + 4 :])
    assert read_chunks(path) == BEXT


@pytest.mark.parametrize("size", [0x7FFF_0000, 0x9000_0000])
def test_chunks_behind_much_sound_are_found(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.wav"
    with path.open("wb") as file:
        total = 4 + 24 + 8 + size + len(CUE)
        form = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16))
        file.write(b"RIFF" + struct.pack("<I", total) + b"WAVE" + form)
        file.write(b"data" + struct.pack("<I", size))
        file.seek(size, 1)  # a hole, which takes no room
        file.write(CUE)
    assert read_chunks(path) == CUE


def test_zeros_behind_the_end_are_no_chunks(tmp_path: Path) -> None:
    path = broadcast_wave(tmp_path / "a.wav")
    path.write_bytes(path.read_bytes() + bytes(1 << 16) + CUE)
    assert read_chunks(path) == CHUNKS


def test_loudness_that_is_no_longer_so_is_not_told(tmp_path: Path) -> None:
    body = bytearray(BEXT[8:])
    body[346:348], body[412:422] = b"\x02\x00", b"\x12\xf7" * 5
    before = chunk(b"bext", bytes(body))
    after = read_chunks(broadcast_wave(tmp_path / "a.wav", before=before, after=b""))
    assert after[8 + 412 : 8 + 422] == b"\xff\x7f" * 5
    assert after[: 8 + 412] == before[: 8 + 412]
    assert after[8 + 422 :] == before[8 + 422 :]


def test_what_is_too_large_is_left_out(tmp_path: Path) -> None:
    path = broadcast_wave(tmp_path / "a.wav", before=chunk(b"iXML", bytes(1 << 20)) + BEXT)
    assert read_chunks(path) == CHUNKS


def test_a_full_disk_while_they_are_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: object, chunks: bytes) -> None:
        with Path("/dev/full").open("r+b", buffering=0) as disk:
            append_chunks(disk, chunks)

    monkeypatch.setattr(part_files, "append_chunks", full)
    broadcast_wave(tmp_path / "a.wav")
    out = tmp_path / "out"
    assert exit_code(["enhance", str(tmp_path / "a.wav"), str(out), "-q"]) == 1
    assert [path for path in out.iterdir() if path.suffix != ".jsonl"] == []
