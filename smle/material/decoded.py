"""A corpus decoded once, for random access to its samples."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from smle.errors import AudioError, CorpusError
from smle.files.audio import read
from smle.files.whole_files import whole_file
from smle.material.corpus import Corpus

_FULL_SCALE = 32767.0
_RECENT_FILES = 256


class Decoded:
    """Mono signals of a corpus at one sample rate.

    With a cache folder all samples lie in one 16-bit file there, memory-mapped, so that
    the next start needs no decoding. Without it they are kept in memory as 16 bit, unless
    they would need more than ``max_bytes``: then files are decoded when they are asked for.

    Args:
        corpus: What to decode.
        sample_rate: Samples per second of the signals.
        cache_dir: Folder for decoded samples; its file is named by a hash of the paths, sizes
            and times of change of the corpus.
        max_bytes: Most memory to hold without a cache folder.
        jobs: Files at a time, -1 for as many as there are processors.

    Raises:
        CorpusError: A file cannot be decoded or holds no samples.
    """

    def __init__(
        self,
        corpus: Corpus,
        *,
        sample_rate: int = 16000,
        cache_dir: str | Path | None = None,
        max_bytes: int = 2**31,
        jobs: int = -1,
    ) -> None:
        self.corpus = corpus
        self.sample_rate = sample_rate
        self._signals: list[NDArray[np.int16]] | None = None
        if cache_dir is not None:
            self._signals = _mapped(corpus, sample_rate, Path(cache_dir), jobs)
        elif corpus.seconds * sample_rate * 2 <= max_bytes:
            self._signals = list(_decode_all(corpus, sample_rate, jobs))
        self._recent = lru_cache(maxsize=_RECENT_FILES)(self._decode)

    def __len__(self) -> int:
        """Count the signals."""
        return len(self.corpus)

    def length(self, index: int) -> int:
        """Return the number of samples of one signal."""
        return len(self._signal(index))

    def excerpt(self, index: int, start: int = 0, length: int | None = None) -> NDArray[np.float32]:
        """Return samples of one signal as a new array of shape (time,).

        Args:
            index: Position of the utterance in the corpus.
            start: First sample.
            length: Number of samples, fewer where the signal ends; all of them by default.
        """
        stop = None if length is None else start + length
        samples = self._signal(index)[start:stop].astype(np.float32)
        samples *= np.float32(1 / _FULL_SCALE)
        return samples

    def _signal(self, index: int) -> NDArray[np.int16]:
        return self._recent(index) if self._signals is None else self._signals[index]

    def _decode(self, index: int) -> NDArray[np.int16]:
        return _decode(self.corpus.utterances[index].path, self.sample_rate)


def _decode(path: Path, sample_rate: int) -> NDArray[np.int16]:
    try:
        audio, _ = read(path, sample_rate=sample_rate, mono=True)
    except AudioError as error:
        raise CorpusError(str(error)) from None
    if audio.size == 0:
        raise CorpusError(f"{path} holds no samples: remove it from the corpus")
    samples: NDArray[np.int16] = np.rint(np.clip(audio[0], -1, 1) * _FULL_SCALE).astype(np.int16)
    return samples


def _decode_all(corpus: Corpus, sample_rate: int, jobs: int) -> Iterator[NDArray[np.int16]]:
    parallel = Parallel(n_jobs=jobs, prefer="threads", return_as="generator")
    yield from parallel(delayed(_decode)(u.path, sample_rate) for u in corpus.utterances)


def _mapped(
    corpus: Corpus, sample_rate: int, cache_dir: Path, jobs: int
) -> list[NDArray[np.int16]]:
    stem = cache_dir / _fingerprint(corpus, sample_rate)
    samples, lengths = stem.with_suffix(".int16"), stem.with_suffix(".npy")
    if not _is_whole(samples, lengths):
        _write_cache(samples, lengths, _decode_all(corpus, sample_rate, jobs))
    flat = np.memmap(samples, dtype=np.int16, mode="r").view(np.ndarray)
    return np.split(flat, np.cumsum(np.load(lengths))[:-1])


def _is_whole(samples: Path, lengths: Path) -> bool:
    try:
        return bool(samples.stat().st_size == 2 * np.load(lengths).sum())
    except (OSError, ValueError, EOFError):
        return False


def _write_cache(samples: Path, lengths: Path, signals: Iterator[NDArray[np.int16]]) -> None:
    samples.parent.mkdir(parents=True, exist_ok=True)
    counts = []
    with whole_file(samples) as file:
        for signal in signals:
            file.write(signal.data)
            counts.append(len(signal))
    with whole_file(lengths) as file:
        np.save(file, np.array(counts, dtype=np.int64))


def _fingerprint(corpus: Corpus, sample_rate: int) -> str:
    digest = hashlib.sha256(f"int16 mono {sample_rate}".encode())
    for utterance in corpus.utterances:
        status = utterance.path.stat()
        entry = f"\n{utterance.path.resolve()} {status.st_size} {status.st_mtime_ns}"
        digest.update(entry.encode())
    return digest.hexdigest()[:24]
