"""Files that do not say how long they are, or say it of their first part alone."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from smle.errors import AudioError
from smle.files import audio_writer
from smle.files.audio import AudioWriter, probe, read, write
from smle.files.formats import Target, container_for, target_for
from smle.files.mp3_frames import count_frames
from smle.files.ogg_pages import walk_pages
from smle.files.pipes import PipeFormat, read_wav_header, wav_header

RATE = 44_100
MP3_FRAME = 1152


def noise(seconds: float = 2.0) -> np.ndarray:
    rng = np.random.default_rng(3)
    return (0.1 * rng.standard_normal((1, round(seconds * RATE)))).astype(np.float32)


def mp3_without_length(path: Path, bit_rates: tuple[float, ...]) -> int:
    """Frames of one bit rate after those of another, without a header; returns their samples."""
    data, frames = b"", 0
    for level in bit_rates:
        part = path.with_suffix(".part")
        with sf.SoundFile(
            part,
            "w",
            RATE,
            1,
            format="MP3",
            bitrate_mode="CONSTANT",
            compression_level=level,
        ) as file:
            file.write(noise()[0])
        content = part.read_bytes()
        frames += count_frames(part).samples // MP3_FRAME
        data += content[content.index(b"\xff\xfb", content.index(b"LAME")) :]
        part.unlink()
    path.write_bytes(data)
    return frames * MP3_FRAME


def test_an_mp3_that_does_not_say_its_length_is_read_to_its_end(tmp_path: Path) -> None:
    samples = mp3_without_length(tmp_path / "a.mp3", (0.5,))
    audio, _ = read(tmp_path / "a.mp3")
    assert abs(audio.shape[1] - samples) <= 2 * MP3_FRAME
    assert samples >= 2 * RATE
    assert not probe(tmp_path / "a.mp3").exact


@pytest.mark.parametrize("bit_rates", [(0.0, 0.9), (0.9, 0.0)])
def test_an_mp3_of_changing_bit_rate_that_does_not_say_its_length(
    tmp_path: Path, bit_rates: tuple[float, ...]
) -> None:
    pytest.importorskip("av")
    samples = mp3_without_length(tmp_path / "a.mp3", bit_rates)
    audio, _ = read(tmp_path / "a.mp3")
    assert abs(audio.shape[1] - samples) <= 4 * MP3_FRAME
    assert np.abs(audio[0, -RATE:]).max() > 0.1
    assert (probe(tmp_path / "a.mp3").format, probe(tmp_path / "a.mp3").subtype) == (
        "MP3",
        "MPEG_LAYER_III",
    )


@pytest.mark.parametrize("name", ["a.mp3", "a.ogg", "a.opus"])
def test_files_put_together_are_read_to_their_end(tmp_path: Path, name: str) -> None:
    pytest.importorskip("av")
    rate = 48_000
    write(tmp_path / name, noise()[:, : 2 * rate], rate, format=name[2:])
    once = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(once + once)
    audio, back = read(tmp_path / name)
    seconds = noise().shape[1] / rate
    assert audio.shape[1] / back == pytest.approx(2 * seconds, abs=0.1)


def test_what_needs_pyav_says_so_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.ogg", noise(), RATE)
    (tmp_path / "a.ogg").write_bytes(2 * (tmp_path / "a.ogg").read_bytes())
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(AudioError, match=r"what follows its first part needs PyAV.*smle\[av\]"):
        read(tmp_path / "a.ogg")


def cut(data: bytes) -> bytes:
    return data[:-10]


def hole(data: bytes) -> bytes:
    """Nothing where the sound begins; the page after it stands."""
    return data[: len(data) // 2] + bytes(len(data) // 4) + data[-(len(data) // 4) :]


@pytest.mark.parametrize("name", ["a.ogg", "a.opus"])
@pytest.mark.parametrize("spoil", [cut, hole])
def test_an_ogg_that_is_not_whole_is_refused(
    tmp_path: Path, name: str, spoil: Callable[[bytes], bytes]
) -> None:
    write(tmp_path / name, np.tile(noise(), 5)[:, :480_000], 48_000, format=name[2:])
    assert read(tmp_path / name)[0].shape[1] >= 5 * RATE
    (tmp_path / name).write_bytes(spoil((tmp_path / name).read_bytes()))
    with pytest.raises(AudioError, match=r"truncated|damaged|no audio that can be read"):
        read(tmp_path / name)


def test_an_ogg_recorded_from_the_middle_of_a_stream_is_whole(tmp_path: Path) -> None:
    write(tmp_path / "a.ogg", noise(), RATE)
    expected = read(tmp_path / "a.ogg")[0]
    data, at = bytearray((tmp_path / "a.ogg").read_bytes()), 0
    while (at := data.find(b"OggS", at)) >= 0:
        granule = struct.unpack_from("<q", data, at + 6)[0]
        if granule > 0:
            struct.pack_into("<q", data, at + 6, granule + 3600 * RATE)
            struct.pack_into("<I", data, at + 22, 0)
            parts = data[at + 26]
            end = at + 27 + parts + sum(data[at + 27 : at + 27 + parts])
            struct.pack_into("<I", data, at + 22, ogg_sum(bytes(data[at:end])))
        at += 4
    (tmp_path / "a.ogg").write_bytes(data)
    assert walk_pages(tmp_path / "a.ogg").first_granule > 3600 * RATE
    np.testing.assert_array_equal(read(tmp_path / "a.ogg")[0], expected)


def ogg_sum(page: bytes) -> int:
    """The checksum of RFC 3533: CRC-32 of the polynomial 0x04c11db7, nothing reflected."""
    total = 0
    for byte in page:
        total ^= byte << 24
        for _ in range(8):
            total = (total << 1 ^ (0x04C11DB7 if total & 0x80000000 else 0)) & 0xFFFFFFFF
    return total


def test_a_flac_that_does_not_say_its_length_is_read_to_its_end(tmp_path: Path) -> None:
    write(tmp_path / "a.flac", noise(), RATE)
    expected = read(tmp_path / "a.flac")[0]
    data = bytearray((tmp_path / "a.flac").read_bytes())
    assert data[:5] == b"fLaC\0"
    data[21] &= 0xF0  # of STREAMINFO: the 36 bits that count samples
    data[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(data)
    np.testing.assert_array_equal(read(tmp_path / "a.flac")[0], expected)


@pytest.mark.parametrize("name", ["a.flac", "a.mp3", "a.wav"])
def test_a_tag_behind_the_sound_is_not_heard(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, noise(), RATE)
    expected = read(tmp_path / name)[0]
    with (tmp_path / name).open("ab") as file:
        file.write(b"TAG" + bytes(125))
    np.testing.assert_array_equal(read(tmp_path / name)[0], expected)


@pytest.mark.parametrize("size", [0x7FFF0000, 0x7FFFF000, 0x7FFFFF00, 0x80000000, 0xFFFFFFFF])
def test_a_wav_written_before_its_end_was_known(tmp_path: Path, size: int) -> None:
    write(tmp_path / "a.wav", noise(), RATE)
    expected = read(tmp_path / "a.wav")[0]
    data = bytearray((tmp_path / "a.wav").read_bytes())
    struct.pack_into("<I", data, data.index(b"data") + 4, size)
    (tmp_path / "a.wav").write_bytes(data)
    np.testing.assert_array_equal(read(tmp_path / "a.wav")[0], expected)


@pytest.mark.parametrize("size", [0x7FFF0000, 0x7FFFF000, 0x7FFFFF00, 0x80000000, 0xFFFFFFFF])
def test_a_pipe_that_does_not_know_its_end_goes_on_to_it(size: int) -> None:
    header = bytearray(wav_header(PipeFormat(16_000, 1, "PCM_16", 100)))
    struct.pack_into("<I", header, len(header) - 4, size)
    assert read_wav_header(BytesIO(header)).frames is None  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0x8100_0000, 3_000_000_000, 0xFFF0_0000])
def test_a_pipe_of_gigabytes_knows_its_end(size: int) -> None:
    header = bytearray(wav_header(PipeFormat(16_000, 1, "PCM_16", 100)))
    struct.pack_into("<I", header, len(header) - 4, size)
    assert read_wav_header(BytesIO(header)).frames == size // 2  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [1_000_000, 1_000_000_000, 3_000_000_000, 5_000_000_000])
@pytest.mark.parametrize("format", ["WAV", "RF64", "W64"])
def test_a_copy_that_broke_off_is_no_whole_recording(
    tmp_path: Path, format: str, size: int
) -> None:
    path = tmp_path / f"a.{'w64' if format == 'W64' else 'wav'}"
    with AudioWriter(path, RATE, 1, format=format, subtype="PCM_16") as writer:
        writer.write(noise())
    data = bytearray(path.read_bytes())
    if format == "W64":
        struct.pack_into("<Q", data, 16, size + 104)  # of all of it
        struct.pack_into("<Q", data, data.index(b"data\xf3\xac") + 16, size + 24)
    elif format == "RF64":
        form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
        long = struct.pack("<4sIQQQI", b"ds64", 28, size + 72, size, size // 2, 0)
        sound = data[data.index(b"data") + 8 :]
        data = b"RF64\xff\xff\xff\xffWAVE" + long + form + b"data\xff\xff\xff\xff" + sound
    else:
        struct.pack_into("<I", data, data.index(b"data") + 4, min(size, 4_000_000_000))
    path.write_bytes(data)
    with pytest.raises(AudioError, match="truncated"):
        read(path)


def test_a_recorder_that_lost_its_power_left_sound(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", noise(), RATE)
    data = bytearray((tmp_path / "a.wav").read_bytes())
    struct.pack_into("<I", data, data.index(b"data") + 4, 0)
    (tmp_path / "a.wav").write_bytes(data)
    with pytest.raises(AudioError, match=r"header says .* pipe it: smle enhance - OUT\.wav < "):
        read(tmp_path / "a.wav")
    assert read_wav_header(BytesIO(data)).frames is None  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100, 48_000])
def test_mpeg_layer_2_is_read_to_its_end(tmp_path: Path, rate: int) -> None:
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "a.mp2"), "w") as container:
        stream = container.add_stream("mp2", rate=rate)
        stream.layout = "mono"
        stream.bit_rate = 64_000
        stream.codec_context.open()
        size = stream.codec_context.frame_size
        samples = (20_000 * noise()[0]).astype(np.int16)
        for at in range(0, len(samples) - size, size):
            frame = av.AudioFrame.from_ndarray(samples[None, at : at + size], "s16", "mono")
            frame.sample_rate, frame.pts = rate, at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    audio, _ = read(tmp_path / "a.mp2")
    assert abs(audio.shape[1] - len(samples)) <= 2 * size


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "ULAW", "ALAW"])
@pytest.mark.parametrize(("channels", "frames"), [(1, 1), (1, 1001), (3, 1001), (1, 1000)])
def test_aiff_of_odd_length_has_no_sample_too_many(
    tmp_path: Path, subtype: str, channels: int, frames: int
) -> None:
    audio = np.tile(noise()[:, :frames], (channels, 1))
    write(tmp_path / "a.aiff", audio, RATE, subtype=subtype)
    back, _ = read(tmp_path / "a.aiff")
    assert back.shape == audio.shape
    assert np.abs(back - audio).max() < 0.02


def test_a_pipe_of_rf64_ends_where_its_long_size_says(tmp_path: Path) -> None:
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    long = struct.pack("<4sIQQQI", b"ds64", 28, 0, 200, 100, 0)
    header = b"RF64\xff\xff\xff\xffWAVE" + long + form + b"data\xff\xff\xff\xff"
    assert read_wav_header(BytesIO(header)).frames == 100  # type: ignore[arg-type]
    for unknown in (0, 2**64 - 1):
        at = header.index(b"ds64") + 16
        left_open = header[:at] + struct.pack("<Q", unknown) + header[at + 8 :]
        assert read_wav_header(BytesIO(left_open)).frames is None  # type: ignore[arg-type]


def test_what_may_pass_4_gib_is_a_plain_wav_if_it_does_not(tmp_path: Path) -> None:
    assert container_for(Target("WAV", "PCM_16", ".wav"), None, 1) == "RF64"
    assert container_for(Target("FLAC", "PCM_16", ".flac"), None, 1) == "FLAC"
    with AudioWriter(tmp_path / "a.wav", RATE, 1, format="RF64", subtype="PCM_16") as writer:
        writer.write(noise())
    assert (tmp_path / "a.wav").read_bytes()[:4] == b"RIFF"
    assert probe(tmp_path / "a.wav").frames == noise().shape[1]


@pytest.mark.parametrize("format", ["AIFF", "AU", "WAV"])
def test_more_than_a_format_can_hold_is_refused_before_it_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    monkeypatch.setattr(audio_writer, "MOST_BYTES", 2 * noise().shape[1])
    writer = AudioWriter(tmp_path / "a", RATE, 1, format=format, subtype="PCM_16")
    with pytest.raises(AudioError, match="passes 4 GiB"), writer:
        writer.write(noise())
        writer.write(noise()[:, :1])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("subtype", ["ALAC_20", "ALAC_24", "ALAC_32"])
def test_lossless_sound_keeps_more_than_16_bits(subtype: str) -> None:
    assert target_for("CAF", subtype).subtype == "PCM_24"
    assert target_for("CAF", subtype, wanted="flac").subtype == "PCM_24"
