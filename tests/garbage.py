"""Broken and odd audio files, the same for the same seed: `python tests/garbage.py FOLDER`."""

from __future__ import annotations

import random
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile as sf

SEED = 20
PER_KIND = 60
KINDS = {
    "wav": ("WAV", "PCM_16", 16_000, 1),
    "float.wav": ("WAV", "FLOAT", 44_100, 2),
    "adpcm.wav": ("WAV", "IMA_ADPCM", 8_000, 1),
    "flac": ("FLAC", "PCM_16", 48_000, 2),
    "mp3": ("MP3", "MPEG_LAYER_III", 22_050, 1),
    "ogg": ("OGG", "VORBIS", 16_000, 1),
    "opus": ("OGG", "OPUS", 48_000, 1),
    "aiff": ("AIFF", "PCM_24", 11_025, 1),
}


def wav(
    data: bytes,
    sample_rate: int = 16_000,
    channels: int = 1,
    bits: int = 16,
    code: int = 1,
    promised: int | None = None,
) -> bytes:
    """A WAV file with any header, true or not."""
    width = channels * bits // 8
    fmt = struct.pack(
        "<HHIIHH",
        code,
        channels & 0xFFFF,
        sample_rate & 0xFFFFFFFF,
        sample_rate * width & 0xFFFFFFFF,
        width & 0xFFFF,
        bits,
    )
    size = len(data) if promised is None else promised
    body = (
        b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", size) + data
    )
    return b"RIFF" + struct.pack("<I", min(len(body), 0xFFFFFFFF)) + body


def odd_files() -> Iterator[tuple[str, bytes]]:
    """Files that are odd by design, by name."""
    ramp = np.arange(4000, dtype="<i2").tobytes()
    for rate in (0, 1, 100, 3_999, 4_000, 384_000, 1_000_000, 2**31 - 1, 2**32 - 1):
        yield f"rate-{rate}.wav", wav(ramp, sample_rate=rate)
    for channels in (0, 3, 8, 64, 65, 255, 1024, 65_535):
        yield f"channels-{channels}.wav", wav(ramp, channels=channels)
    for bits in (0, 1, 7, 12, 33, 64, 255):
        yield f"bits-{bits}.wav", wav(ramp, bits=bits)
    for code in (0, 2, 6, 7, 17, 85, 0xFFFE, 0xFFFF):
        yield f"code-{code}.wav", wav(ramp, code=code)
    for promised in (0, 1, 7_999, 8_001, 2**31, 2**32 - 1):
        yield f"promised-{promised}.wav", wav(ramp, promised=promised)
    for count in (0, 1, 2, 3, 15, 511, 512, 513):
        yield f"samples-{count}.wav", wav(ramp[: 2 * count])
    floats = {
        "nan": np.nan,
        "inf": np.inf,
        "minus-inf": -np.inf,
        "huge": 3e38,
        "denormal": 1e-42,
        "zero": 0.0,
        "dc": 1.0,
    }
    for name, value in floats.items():
        yield f"{name}.wav", wav(np.full(4000, value, "<f4").tobytes(), bits=32, code=3)
    late = np.zeros(40_000, "<f4")
    late[-1] = np.nan
    yield "nan-at-the-end.wav", wav(late.tobytes(), bits=32, code=3)
    square = (np.sign(np.sin(np.arange(16_000) / 7)) * 32_767).astype("<i2")
    yield "full-scale-square.wav", wav(square.tobytes())
    yield "empty.wav", b""
    yield "one-byte.flac", b"f"
    yield "text.mp3", b"I am no audio, whatever my name says.\n" * 40
    yield "zeros.ogg", bytes(100_000)
    yield "riff-only.wav", b"RIFF\xff\xff\xff\xffWAVE"
    yield "endless-chunk.wav", b"RIFF\xff\xff\xff\xffWAVEjunk\xff\xff\xff\x7f" + bytes(1000)
    yield "new\nline.wav", b"RIFF"
    yield "video.mp4", b"\0\0\0\x18ftypmp42\0\0\0\0" + bytes(200)


def mutated(rng: random.Random, data: bytes) -> bytes:
    """A file with a part flipped, cut off, cut out, doubled or overwritten."""
    broken = bytearray(data)
    how = rng.randrange(5)
    if how == 0:
        for _ in range(rng.randrange(1, 30)):
            broken[rng.randrange(min(len(broken), 200))] = rng.randrange(256)
    elif how == 1:
        del broken[rng.randrange(len(broken)) :]
    elif how == 2:
        start = rng.randrange(len(broken))
        del broken[start : start + rng.randrange(1, 500)]
    elif how == 3:
        start = rng.randrange(len(broken))
        broken[start:start] = broken[start : start + rng.randrange(1, 2000)]
    else:
        start = rng.randrange(len(broken))
        broken[start : start + 64] = rng.randbytes(64)
    return bytes(broken)


def make(folder: Path) -> int:
    """Write the corpus; returns how many files it has."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(SEED)
    count = 0
    for name, data in odd_files():
        (folder / name).write_bytes(data)
        count += 1
    noise = np.random.default_rng(SEED)
    for kind, (format, subtype, sample_rate, channels) in KINDS.items():
        whole = folder / f"whole.{kind}"
        audio = 0.1 * noise.standard_normal((sample_rate // 2, channels))
        sf.write(whole, audio, sample_rate, format=format, subtype=subtype)
        names = list(KINDS)
        for index in range(PER_KIND):
            # Some names lie about what is inside.
            ending = kind if index % 6 else rng.choice(names)
            path = folder / f"{kind.replace('.', '-')}-{index:03}.{ending}"
            path.write_bytes(mutated(rng, whole.read_bytes()))
            count += 1
        count += 1
    return count


if __name__ == "__main__":
    print(make(Path(sys.argv[1])))
