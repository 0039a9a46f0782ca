"""What a batch has done so far, kept in its output folder, so that it can go on after any end.

One JSON object per line. `begin` claims an output before anything is written under its name;
`done` records the whole output with what it was made from; `failed` gives the claim back. A line
that was torn by a crash counts for nothing. An output that was never claimed, or that was changed
since it was recorded, is somebody else's, and stays.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from smle.batch.jobs import Job
from smle.errors import AudioError
from smle.files.digest import digest_of
from smle.files.locks import lock
from smle.files.paths import shown

LEDGER_NAME = ".smle-ledger.jsonl"
State = Literal["absent", "done", "ours", "foreign"]
_RECORD = {
    "key": str,
    "input_digest": str,
    "input_mtime_ns": int,
    "output_bytes": int,
    "report": dict,
}


class Ledger:
    """The record of one output folder; a context manager that keeps other runs out of it.

    Args:
        folder: The output folder, which exists.

    Raises:
        AudioError: On entering, if another run is at work in the folder, or it is not writable.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / LEDGER_NAME
        self._entries: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Self:
        try:
            self._file = self.path.open("a+b", buffering=0)
        except OSError as error:
            raise AudioError(f"{shown(self.path)}: cannot be written ({error.strerror})") from error
        if lock(self._file.fileno()) == "held":
            self._file.close()
            raise AudioError(f"{shown(self.folder)}: another run is writing here; wait for it")
        self._file.seek(0)
        content = self._file.read()
        for line in content.splitlines():
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if not _is_entry(entry):
                    continue
                if entry.get("released"):
                    self._entries.pop(entry["output"], None)
                else:
                    self._entries[entry["output"]] = entry
        self._torn = bool(content) and not content.endswith(b"\n")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def state(self, job: Job, key: str) -> State:
        """What stands under the name of a job's output.

        Args:
            job: One of the batch's jobs.
            key: Fingerprint of model and options.

        Returns:
            `absent`: nothing. `done`: the result of this very input, model and options. `ours`:
            another result of an earlier run, which may be replaced. `foreign`: anything else, such
            as the result of another input, which is still there.
        """
        if not os.path.lexists(job.output):
            return "absent"
        entry = self._entries.get(self._name(job))
        if entry is None:
            return "foreign"
        if "report" not in entry:
            return _ours_unless_of_another(job.input, entry)
        try:
            output = job.output.stat()
        except OSError:  # a link that leads nowhere
            return "foreign"
        if output.st_size != entry["output_bytes"]:
            return "foreign"
        if entry["key"] == key and _same_input(job.input, entry):
            return "done"
        # What was edited since may be as long as before.
        if output.st_mtime_ns != entry.get("output_mtime_ns"):
            return "foreign"
        return _ours_unless_of_another(job.input, entry)

    def report(self, job: Job) -> dict[str, Any]:
        """What was recorded when a job was done."""
        report: dict[str, Any] = self._entries[self._name(job)]["report"]
        return report

    def begin(self, jobs: list[Job], key: str) -> None:
        """Claim outputs, before they are written.

        Raises:
            AudioError: The claim cannot be written down.
        """
        try:
            self._append(
                [
                    {"output": self._name(job), "key": key, "input": os.fspath(job.input)}
                    for job in jobs
                ]
            )
            os.fsync(self._file.fileno())
        except OSError as error:
            raise AudioError(f"{shown(self.path)}: cannot be written ({error.strerror})") from error

    def done(self, job: Job, key: str, report: dict[str, Any], digest: str, mtime_ns: int) -> None:
        """Record a whole output; if even that fails, a resumed run makes it anew.

        Args:
            job: The job.
            key: Fingerprint of model and options.
            report: What to tell about it when a later run skips it.
            digest: Fingerprint of the input as it was read.
            mtime_ns: Time of the input as it was read.
        """
        with contextlib.suppress(OSError):
            output = job.output.stat()
            entry = {
                "output": self._name(job),
                "key": key,
                "input_digest": digest,
                "input_mtime_ns": mtime_ns,
                "output_bytes": output.st_size,
                "output_mtime_ns": output.st_mtime_ns,
                "report": report,
            }
            self._append([entry])

    def failed(self, job: Job) -> None:
        """Give back the claim on an output that was not written: whoever puts a file there owns it.

        Args:
            job: The job; what an earlier run made of it stays known.
        """
        name = self._name(job)
        before = self._entries.get(name) if os.path.lexists(job.output) else None
        with contextlib.suppress(OSError):
            self._append([before or {"output": name, "released": True}])

    def _name(self, job: Job) -> str:
        return job.output.relative_to(self.folder).as_posix()

    def _append(self, entries: list[dict[str, Any]]) -> None:
        # One write per call: claims come from the thread that hands out tasks.
        data = b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)
        if self._torn:
            data = b"\n" + data
        self._torn = True  # until all of it is written: a full disk may take a part
        self._torn = self._file.write(data) < len(data)


def _is_entry(entry: Any) -> bool:
    """Whether a line is one of ours: a claim, or a whole record."""
    if not isinstance(entry, dict) or not isinstance(entry.get("output"), str):
        return False
    if "report" not in entry:
        return True
    return all(isinstance(entry.get(name), kind) for name, kind in _RECORD.items())


def _ours_unless_of_another(path: Path, entry: dict[str, Any]) -> State:
    """`foreign` if an output was made of, or claimed for, another file that still exists."""
    before = entry["report"].get("input") if "report" in entry else entry.get("input")
    try:
        return "foreign" if isinstance(before, str) and not path.samefile(before) else "ours"
    except (OSError, ValueError):
        return "ours"


def _same_input(path: Path, entry: dict[str, Any]) -> bool:
    try:
        same_time: bool = path.stat().st_mtime_ns == entry["input_mtime_ns"]
        return same_time or digest_of(path) == entry["input_digest"]
    except OSError:
        return False
