"""The log of an evaluation: each pair's scores as soon as they are known, one JSON line each.

A run that was cut off at any moment goes on from its log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from smle.errors import CorpusError
from smle.evaluation.pairs import Pair
from smle.evaluation.scoring import PairScores, SystemScores
from smle.files.paths import shown

SCHEMA = "smle.scores/1"


class ScoreLog:
    """Scores on disk, written line by line; a context manager.

    Args:
        path: The log, a .jsonl file.
        settings: Whatever the scores depend on; a log of other settings is refused.
        resume: Whether to go on with an existing log.
        force: Whether to throw an existing log away.

    Raises:
        CorpusError: If the log exists but neither is asked for, or its settings differ.
    """

    def __init__(
        self, path: Path, settings: Mapping[str, Any], *, resume: bool = False, force: bool = False
    ) -> None:
        self.path = path
        self._done: dict[str, tuple[list[list[int]], PairScores]] = {}
        settings = json.loads(json.dumps(settings))
        if path.exists() and not force:
            if not resume:
                raise CorpusError(
                    f"{shown(path)} exists; give --resume to go on with it, --force to start anew"
                )
            self._read(settings)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_line({"schema": SCHEMA, "settings": settings}), encoding="utf-8")

    def __enter__(self) -> Self:
        self._file = self.path.open("a", encoding="utf-8")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def scores_of(self, pair: Pair) -> PairScores | None:
        """Return what is logged of a pair, unless one of its files has changed since."""
        fingerprint, scores = self._done.get(pair.name, (None, None))
        return scores if fingerprint == _fingerprint(pair) else None

    def append(self, pair: Pair, scores: PairScores) -> None:
        """Write the scores of a pair and hand them to the operating system."""
        entry = {"files": _fingerprint(pair), **asdict(scores)}
        self._file.write(_line(entry))
        self._file.flush()

    def _read(self, settings: Mapping[str, Any]) -> None:
        lines = self.path.read_bytes().split(b"\n")
        entries = []
        whole = 0
        for line in lines[:-1]:
            try:
                entries.append(json.loads(line))
            except ValueError:
                break
            whole += len(line) + 1
        strange = CorpusError(
            f"{shown(self.path)}: no log of this kind; give --force to replace it"
        )
        if not all(isinstance(entry, dict) for entry in entries):
            raise strange
        if not entries or entries[0].get("schema") != SCHEMA:
            raise strange
        before = entries[0].get("settings")
        if not isinstance(before, dict):
            raise strange
        if before != settings:
            differing = [
                key for key in {**before, **settings} if before.get(key) != settings.get(key)
            ]
            key = sorted(differing)[0]
            raise CorpusError(
                f"{shown(self.path)} was scored with {key} = {before.get(key)}, not "
                f"{settings.get(key)}; give --force to start anew, or another --report folder"
            )
        try:
            for entry in entries[1:]:
                fingerprint = entry.pop("files")
                systems = {name: SystemScores(**own) for name, own in entry["systems"].items()}
                self._done[entry["name"]] = fingerprint, PairScores(**{**entry, "systems": systems})
        except (KeyError, TypeError, AttributeError):
            raise strange from None
        # The end of an interrupted write is cut off, so that the next line starts clean.
        with self.path.open("r+b") as file:
            file.truncate(whole)


def _fingerprint(pair: Pair) -> list[list[int]]:
    stats = [path.stat() if path.exists() else None for path in pair.files]
    return [[stat.st_size, stat.st_mtime_ns] if stat else [] for stat in stats]


def _line(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, separators=(",", ":")) + "\n"
