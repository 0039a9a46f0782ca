"""Make a small folder of noisy speech: espeak-ng speaks, numpy makes the noise.

    python examples/noisy_speech.py FOLDER

Needs `pip install 'smle[demo]'`. Several voices, noises, rates, channels and formats.
"""

from __future__ import annotations

import argparse
import ctypes
from pathlib import Path

import espeakng_loader
import numpy as np
import soxr
from numpy.typing import NDArray

from smle.files.audio import write
from smle.material.mixing import mix_at_snr

Signal = NDArray[np.float32]

_SYNCHRONOUS = 2
_UTF8 = 1
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)

# File, espeak voice, pitch, what is said, noise, SNR in dB, rate in Hz, channels.
RECORDINGS = (
    ("office/dictation.wav", "en-us", 45, "Please send the figures by Friday, and keep a copy of "
     "the old table, because nobody remembers where the first one went.", "hum", 5, 16_000, 1),
    ("office/standup.flac", "en-gb", 60, "Yesterday I finished the drawings. Today I will measure "
     "the second room, and after lunch we can talk about the windows.", "babble", 5, 48_000, 2),
    ("office/voicemail.mp3", "en-us", 30, "Hello, this is the workshop. Your bicycle is ready, and "
     "you can collect it any day before six in the evening.", "pink", 0, 44_100, 1),
    ("outside/interview.wav", "en-gb", 70, "We walked along the river for an hour until the rain "
     "began, and then everybody ran back to the station.", "wind", 5, 48_000, 1),
    ("outside/market.ogg", "en-us", 55, "Two kilos of apples, a loaf of bread, and some of the "
     "yellow cheese on the left, if it is not too strong.", "babble", 0, 22_050, 1),
    ("outside/train.flac", "en-gb", 35, "The next train leaves from platform nine, not from "
     "platform seven. Please mind the gap when you get on.", "rumble", -5, 44_100, 2),
    ("tape/lecture.wav", "en-us", 50, "This side lasts six minutes. Sixty-six students sit in "
     "silence, and the speaker stresses each syllable.", "hiss", 5, 48_000, 1),
)  # fmt: skip


class Voice:
    """espeak-ng, from the library that its wheel carries."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = str(espeakng_loader.get_data_path()).encode()
        self.sample_rate = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, 0))
        if self.sample_rate <= 0:
            raise SystemExit("espeak-ng does not start; reinstall it: pip install 'smle[demo]'")

    def say(self, text: str, voice: str, pitch: int, sample_rate: int) -> Signal:
        """Speak, with half a second of rest before and after.

        Args:
            text: What to say.
            voice: An espeak-ng voice.
            pitch: From 0 to 99.
            sample_rate: Of the result, in Hz.

        Returns:
            Samples of shape (time,), peak 0.5.
        """
        parts: list[NDArray[np.int16]] = []

        def take(samples: ctypes._Pointer[ctypes.c_short], count: int, _: object) -> int:
            if samples and count:
                parts.append(np.ctypeslib.as_array(samples, (count,)).copy())
            return 0

        callback = _CALLBACK(take)
        self._library.espeak_SetSynthCallback(callback)
        self._library.espeak_SetVoiceByName(voice.encode())
        self._library.espeak_SetParameter(3, pitch, 0)
        raw = text.encode()
        self._library.espeak_Synth(raw, len(raw) + 1, 0, 0, 0, _UTF8, None, None)
        speech = soxr.resample(
            np.concatenate(parts).astype(np.float32), self.sample_rate, sample_rate
        )
        rest = round(sample_rate / 2)
        return np.pad(speech * np.float32(0.5 / np.abs(speech).max()), rest)


def coloured(rng: np.random.Generator, frames: int, sample_rate: int, slope: float) -> Signal:
    """Noise whose power falls with frequency to the given power, flat below 50 Hz."""
    spectrum = np.fft.rfft(rng.standard_normal(frames))
    hz = np.fft.rfftfreq(frames, 1 / sample_rate)
    return np.fft.irfft(spectrum * np.maximum(hz, 50.0) ** (-slope / 2), frames).astype(np.float32)


def make_noise(
    kind: str, voice: Voice, rng: np.random.Generator, frames: int, sample_rate: int
) -> Signal:
    """Noise of a kind, shape (time,), of any level."""
    t = np.arange(frames) / sample_rate
    if kind == "hum":
        hum = sum(np.sin(2 * np.pi * 50 * k * t) / k for k in (1, 2, 3, 5, 7))
        return (hum + 0.3 * coloured(rng, frames, sample_rate, 0.0)).astype(np.float32)
    if kind == "wind":
        every_s = np.arange(0.0, t[-1] + 0.7, 0.7)
        gusts = 0.3 + np.abs(np.interp(t, every_s, rng.standard_normal(every_s.size)))
        return (gusts * coloured(rng, frames, sample_rate, 2.0)).astype(np.float32)
    if kind == "rumble":
        wheels = 1 + (np.sin(2 * np.pi * 1.3 * t) > 0.95)
        return (wheels * coloured(rng, frames, sample_rate, 1.5)).astype(np.float32)
    if kind == "babble":
        babble = np.zeros(frames, np.float32)
        for number, (_, name, _, text, *_) in enumerate(RECORDINGS * 2):
            talk = voice.say(text, name, 20 + 6 * number, sample_rate)
            babble += np.roll(np.resize(talk, frames), rng.integers(frames))
        return babble
    return coloured(rng, frames, sample_rate, 0.0 if kind == "hiss" else 1.0)


def main(folder: Path) -> None:
    """Write the recordings that are not there yet."""
    voice = Voice()
    for seed, recording in enumerate(RECORDINGS):
        name, speaker, pitch, text, kind, snr_db, sample_rate, channels = recording
        path = folder / name
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(seed)
        clean = voice.say(text, speaker, pitch, sample_rate)
        noisy = np.empty((channels, clean.size), np.float32)
        for channel in noisy:
            noise = make_noise(kind, voice, rng, clean.size, sample_rate)
            channel[:] = clean + mix_at_snr(clean, noise, snr_db, sample_rate=sample_rate)
        write(path, noisy * np.float32(min(1.0, 0.9 / np.abs(noisy).max())), sample_rate)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    main(parser.parse_args().folder)
