"""What is told about every file of a batch, and the files that tell it: JSON, JSON lines, CSV."""

from __future__ import annotations

import contextlib
import csv
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from io import StringIO
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from smle.errors import AudioError
from smle.files.locks import open_held
from smle.files.part_files import part_path
from smle.files.paths import shown

SCHEMA = "smle.enhance/1"
_HEAD_CHARACTERS = 200
Status = Literal["done", "kept", "failed"]


@dataclass(frozen=True)
class FileReport:
    """One file of a batch. docs/reports.md explains every field.

    `kept` means done by an earlier run. Levels are of the whole file, in dBFS; `noise_removed_db`
    is how much quieter its quietest tenth became. `probability` and `margin` are the dominant
    expert's mean and the least of all segments.
    """

    input: str
    output: str
    status: Status
    error: str | None = None
    seconds: float = 0.0
    sample_rate: int = 0
    channels: int = 0
    format: str = ""
    subtype: str = ""
    expert: str = ""
    probability: float = 0.0
    margin: float = 0.0
    low_confidence: bool = False
    switches: int = 0
    noise_removed_db: float = 0.0
    noisy_dbfs: float = 0.0
    estimate_dbfs: float = 0.0
    noisy_clipped: int = 0
    output_clipped: int = 0
    elapsed_s: float = 0.0
    segments: list[list[dict[str, Any]]] = field(default_factory=list)

    @property
    def times_real_time(self) -> float:
        """Seconds of audio per second of work."""
        return self.seconds / self.elapsed_s if self.elapsed_s > 0 else 0.0

    def as_dict(self) -> dict[str, Any]:
        """All fields, numbers rounded to what they mean."""
        return {
            name: round(value, 6) if isinstance(value, float) else value
            for name, value in vars(self).items()
        }


def report_of(record: Mapping[str, Any]) -> FileReport:
    """A report from what `as_dict` gave; what another version of smle said besides is left out.

    >>> report_of({"input": "a", "output": "b", "status": "done", "mood": 3}).output
    'b'
    """
    known = {item.name for item in fields(FileReport)}
    told = {"input": "", "output": "", "status": "done", **record}
    return FileReport(**{name: value for name, value in told.items() if name in known})


def is_report(path: Path) -> bool:
    """Whether a file is a report of an earlier batch, which a batch that goes on may replace."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            head = file.read(_HEAD_CHARACTERS)
    except OSError:  # whoever writes the report will say why not
        return False
    return f'"schema": "{SCHEMA.partition("/")[0]}/' in head or head.startswith(
        _csv_line(_COLUMNS[:3]).strip()
    )


class ReportFile:
    """Writes reports as they come, and lets the file appear when it is whole; a context manager.

    Args:
        path: Ends in `.json`, `.jsonl` or `.csv`.
        facts: What holds for the whole batch (model, options); CSV has no place for it.
        overwrite: Replace a file of that name.

    Raises:
        AudioError: Another suffix, or the file cannot be written or stands already. Once the
            batch is under way only at its end: a disk that is full does not stop what is left.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any], *, overwrite: bool = False) -> None:
        self.kind = path.suffix.lower().removeprefix(".")
        if self.kind not in ("json", "jsonl", "csv"):
            raise AudioError(f"{shown(path)}: a report ends in .json, .jsonl or .csv; rename it")
        self.path = path
        self.facts = {"schema": SCHEMA, **facts}
        self.overwrite = overwrite
        self._part = part_path(path)
        self._count = 0
        self._error: OSError | None = None

    def __enter__(self) -> Self:
        if self.path.exists() and not self.overwrite:
            raise AudioError(
                f"{shown(self.path)}: exists already and is kept; allow overwriting it"
            )
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self._part, "w", encoding="utf-8", newline="", opener=open_held)
        except OSError as error:
            raise self._failed(error) from error
        if self.kind == "json":
            head = json.dumps(self.facts, indent=1).removesuffix("\n}")
            self._write(f'{head},\n "files": [')
        elif self.kind == "jsonl":
            self._write(json.dumps(self.facts) + "\n")
        else:
            self._write(_csv_line(_COLUMNS))
        return self

    def add(self, report: FileReport) -> None:
        """Append one file's report."""
        record = report.as_dict()
        if self.kind == "csv":
            # Names that are no text are escaped, as JSON does it.
            record = {
                name: value.encode("utf-8", "backslashreplace").decode()
                if isinstance(value, str)
                else value
                for name, value in record.items()
            }
            self._write(_csv_line(record[name] for name in _COLUMNS))
        else:
            comma = "," if self._count and self.kind == "json" else ""
            start = "\n  " if self.kind == "json" else ""
            end = "" if self.kind == "json" else "\n"
            self._write(f"{comma}{start}{json.dumps(record)}{end}")
        self._count += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # An interrupted batch is told as well, as far as it came.
        if self.kind == "json":
            self._write("\n ]\n}\n")
        try:
            if self._error is not None:
                raise self._error
            os.fsync(self._file.fileno())
            self._part.replace(self.path)  # still open: what is closed, a sweep may remove
        except OSError as cause:
            if error is None:
                raise self._failed(cause) from cause
        finally:
            with contextlib.suppress(OSError):  # what it still holds will not be missed
                self._file.close()
            self._part.unlink(missing_ok=True)

    def _write(self, text: str) -> None:
        if self._error is None:
            try:
                self._file.write(text)
                self._file.flush()
            except OSError as error:
                self._error = error

    def _failed(self, error: OSError) -> AudioError:
        return AudioError(f"{shown(self.path)}: cannot be written ({error.strerror})")


def _csv_line(values: Iterable[Any]) -> str:
    text = StringIO(newline="")
    csv.writer(text).writerow(values)
    return text.getvalue()


_COLUMNS = [item.name for item in fields(FileReport) if item.name != "segments"]
