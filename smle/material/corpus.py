"""A corpus: recordings of speech (or noise), with the speaker and gender where they are known."""

from __future__ import annotations

import csv
import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from joblib import Parallel, delayed

from smle.errors import AudioError, CorpusError
from smle.files.audio import find_audio, probe

UNLABELLED = "unlabelled"


@dataclass(frozen=True)
class Utterance:
    """One recording of a corpus; for noise, ``speaker`` is the kind of noise."""

    path: Path
    speaker: str | None
    gender: str | None
    seconds: float


@dataclass(frozen=True)
class Corpus:
    """Recordings under one root."""

    root: Path
    utterances: tuple[Utterance, ...]

    def __len__(self) -> int:
        """Count the utterances."""
        return len(self.utterances)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every utterance's path relative to the root, with forward slashes."""
        return tuple(_name(utterance.path, self.root) for utterance in self.utterances)

    @property
    def seconds(self) -> float:
        """Length of all utterances together."""
        return sum(utterance.seconds for utterance in self.utterances)

    @property
    def speakers(self) -> dict[str, int]:
        """Labelled speakers, sorted, with their number of utterances."""
        return dict(sorted(Counter(u.speaker for u in self.utterances if u.speaker).items()))

    def select(self, keep: Callable[[Utterance], bool]) -> Corpus:
        """Return the corpus of those utterances for which ``keep`` is true."""
        return replace(self, utterances=tuple(u for u in self.utterances if keep(u)))


def read_corpus(path: str | Path, *, speakers: str | Path | None = None, jobs: int = -1) -> Corpus:
    """Read a corpus from a folder, or from a JSONL or CSV manifest.

    In a folder the speaker is the name of the folder a file lies in; files directly in the
    root, or in a folder called ``unlabelled``, have no speaker. LibriSpeech's layout
    (SPEAKER/CHAPTER/SPEAKER-CHAPTER-0000.flac) is recognised by its file names. A manifest
    has ``path`` (relative to the manifest), and optionally ``speaker``, ``gender``, ``seconds``.

    Args:
        path: Folder, ``.jsonl`` or ``.csv`` file.
        speakers: CSV or JSONL file with ``speaker`` and ``gender``; for a folder the default is
            its ``speakers.csv`` if it has one.
        jobs: Files at a time, -1 for as many as there are processors.

    Raises:
        CorpusError: Nothing to read, a bad manifest line, or a file that is not audio.
    """
    path = Path(path)
    if path.is_dir():
        root, utterances = path, _from_folder(path)
        if speakers is None and (path / "speakers.csv").is_file():
            speakers = path / "speakers.csv"
    elif path.is_file():
        root, utterances = path.parent, _from_manifest(path)
    else:
        raise CorpusError(f"no corpus at {path}: give a folder, or a .jsonl or .csv manifest")
    if not utterances:
        raise CorpusError(f"no audio in {path}: give a folder with recordings, or a manifest")
    if speakers is not None:
        genders = _read_genders(Path(speakers))
        utterances = [
            replace(u, gender=u.gender or genders.get(u.speaker or "")) for u in utterances
        ]
    return Corpus(root, tuple(_with_seconds(utterances, jobs)))


def _name(path: Path, root: Path) -> str:
    return Path(os.path.relpath(path, root)).as_posix()


def _from_folder(root: Path) -> list[Utterance]:
    return [Utterance(path, _speaker_of(path, root), None, -1.0) for path in find_audio(root)]


def _speaker_of(path: Path, root: Path) -> str | None:
    folder = path.parent
    if folder == root or folder.name == UNLABELLED:
        return None
    if path.stem.startswith(f"{folder.parent.name}-{folder.name}-"):
        return folder.parent.name
    return folder.name


def _rows(path: Path) -> Iterable[tuple[int, Mapping[str, object]]]:
    kind = path.suffix.lower()
    if kind not in (".csv", ".jsonl"):
        raise CorpusError(f"{path} is no manifest: it must end in .jsonl or .csv")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if kind == ".csv":
                yield from enumerate(csv.DictReader(file), start=2)
                return
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, _parse_line(path, number, line)
    except (UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{path} cannot be read ({error}); save it as UTF-8") from None


def _parse_line(path: Path, number: int, line: str) -> Mapping[str, object]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise CorpusError(f"{path}, line {number} is not JSON: {error.msg}") from None
    if not isinstance(row, dict):
        raise CorpusError(f"{path}, line {number} is not a JSON object: write {{'path': ...}}")
    return row


def _from_manifest(manifest: Path) -> list[Utterance]:
    utterances = []
    for number, row in _rows(manifest):
        name = _text(row, "path")
        if name is None:
            raise CorpusError(f"{manifest}, line {number} has no path: add one to every line")
        path = manifest.parent / name
        if not path.is_file():
            raise CorpusError(f"{manifest}, line {number}: no file {path}")
        try:
            seconds = float(_text(row, "seconds") or -1.0)
            if not math.isfinite(seconds):
                raise ValueError
        except ValueError:
            raise CorpusError(
                f"{manifest}, line {number}: seconds is {row['seconds']!r}, not a number"
            ) from None
        utterances.append(Utterance(path, _text(row, "speaker"), _text(row, "gender"), seconds))
    return utterances


def _text(row: Mapping[str, object], key: str) -> str | None:
    value = row.get(key)
    return None if value is None or value == "" else str(value)


def _read_genders(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise CorpusError(f"no file {path}: give a .csv or .jsonl with speaker and gender")
    genders = {}
    for _, row in _rows(path):
        speaker, gender = _text(row, "speaker"), _text(row, "gender")
        if speaker and gender:
            genders[speaker] = gender
    if not genders:
        raise CorpusError(f"{path} names no speaker with a gender: it needs both columns")
    return genders


def _with_seconds(utterances: list[Utterance], jobs: int) -> Iterable[Utterance]:
    missing = [u for u in utterances if u.seconds < 0]
    measured = Parallel(n_jobs=jobs, prefer="threads")(delayed(_seconds)(u.path) for u in missing)
    lengths = iter(measured)
    return (replace(u, seconds=next(lengths)) if u.seconds < 0 else u for u in utterances)


def _seconds(path: Path) -> float:
    try:
        return probe(path).seconds
    except AudioError as error:
        raise CorpusError(str(error)) from None
