"""What a batch has to do: which file becomes which, with names that never collide."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from pathlib import Path

from smle.errors import AudioError
from smle.files.formats import AUDIO_SUFFIXES, CONTAINER_SUFFIXES, target_for
from smle.files.paths import find_files, shown, unlisted

TASK_BYTES = 8_000_000
TASK_FILES = 64


@dataclass(frozen=True)
class Job:
    """One file to enhance. `name` tells it apart within the batch: its path below the folder."""

    input: Path
    output: Path
    name: str


@dataclass(frozen=True)
class Plan:
    """What there is to do.

    Args:
        jobs: In the order of their names.
        others: The files that hold no sound, by their names.
        unlisted: Of each folder that cannot be listed, what to say.
    """

    jobs: tuple[Job, ...]
    others: tuple[Path, ...]
    unlisted: tuple[str, ...] = ()


def plan_file(noisy: Path, out: Path, *, format: str = "same", suffix: str = "") -> Job:
    """Plan one file.

    Args:
        noisy: The file.
        out: A folder (existing, or a name without an audio suffix), or the file to write.
        format: `same` or the format to write.
        suffix: Put behind the name's stem, where `out` is a folder.

    Raises:
        AudioError: The output would be the input, or stands and is neither folder nor sound.
    """
    if takes_names(out):
        if out.exists() and not out.is_dir():
            raise AudioError(f"{shown(out)}: is no folder and no audio file; give another output")
        out = out / _renamed(Path(noisy.name), format, suffix)
    if out.exists() and noisy.exists() and out.samefile(noisy):
        raise AudioError(f"{shown(out)}: is the input itself; give another output, or a suffix")
    return Job(noisy, out, noisy.name)


def takes_names(out: Path) -> bool:
    """Whether `out` is a folder for one file, not the file to write (see `plan_file`)."""
    return out.is_dir() or out.suffix.lower() not in AUDIO_SUFFIXES


def plan_folder(noisy: Path, out: Path, *, format: str = "same", suffix: str = "") -> Plan:
    """Plan a folder: the tree is kept, and every input gets an output of its own.

    Two inputs whose outputs would have one name (`a.mp3` and `a.wav`, both to flac) keep their
    whole names (`a.mp3.flac`). Outputs are never taken for inputs: an output folder inside the
    input folder is left out, and in the input folder itself files that bear the suffix are, beside
    files of the same name without it.

    Args:
        noisy: Folder with the inputs.
        out: Folder of the outputs; it need not exist.
        format: `same` or the format to write.
        suffix: Put behind each name's stem.

    Raises:
        AudioError: There is no such folder, no audio in it, or the outputs would replace inputs.
    """
    if not noisy.is_dir():
        raise AudioError(f"{shown(noisy)}: no such file or folder; check the path")
    if out.exists() and not out.is_dir():
        raise AudioError(f"{shown(out)}: is a file; a folder needs a folder as output")
    if not out.exists() and not takes_names(out):
        raise AudioError(f"{shown(out)}: is a file's name; a folder needs a folder as output")
    here, there = _real(noisy), _real(out)
    if here == there and not suffix:
        raise AudioError(f"{shown(out)}: is the input folder; give another one, or a suffix")
    apart = there != here and not _below(there, here)
    closed: list[OSError] = []
    files = [
        path.relative_to(noisy)
        for path in find_files(noisy, closed.append)
        if not (apart and _below(there, _real(path)))  # by whatever link they are reached
    ]
    messages = tuple(map(unlisted, closed))
    names = [path for path in files if path.suffix.lower() in AUDIO_SUFFIXES]
    if here == there:
        stems = {own for path in names for own in (path.with_suffix(""), path)}
        names = [path for path in names if not _bears(path, suffix, stems)]
    if not names:
        nothing = f"{shown(noisy)}: no audio files in this folder; check the path"
        raise AudioError(messages[0] if messages else nothing)
    outputs = _distinct(names, format, suffix)
    inputs = {_real(here / name) for name in names} if _below(there, here) else set()
    jobs = []
    for name, output in zip(names, outputs, strict=True):
        if _real(there / output) in inputs:
            raise AudioError(
                f"{shown(out / output)}: would replace an input; give another folder, or a suffix"
            )
        jobs.append(Job(noisy / name, out / output, name.as_posix()))
    others = tuple(path for path in files if path.suffix.lower() not in AUDIO_SUFFIXES)
    return Plan(tuple(jobs), others, messages)


def tasks_of(jobs: Iterable[Job]) -> Iterator[tuple[Job, ...]]:
    """Cut a plan into tasks of some seconds' work: many small files, or one large one.

    The cut depends on nothing but the files, so an interrupted batch meets the same tasks, and
    with them bit for bit the same numbers, when it goes on.
    """
    task: list[Job] = []
    total = 0
    for job in jobs:
        try:
            size = job.input.stat().st_size
        except OSError:  # it vanished: whoever opens it will say so
            size = 0
        if task and (total + size > TASK_BYTES or len(task) == TASK_FILES):
            yield tuple(task)
            task, total = [], 0
        task.append(job)
        total += size
    if task:
        yield tuple(task)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # unlike `resolve`, takes links that lead to themselves


def _below(folder: Path, path: Path) -> bool:
    return path == folder or folder in path.parents


def _bears(name: Path, suffix: str, stems: Set[Path]) -> bool:
    """Whether a name is that of an output beside its input, of which the stems are given."""
    if not name.stem.endswith(suffix):
        return False
    stem = name.stem.removesuffix(suffix)
    return bool(stem) and name.with_name(stem) in stems


def _renamed(name: Path, format: str, suffix: str) -> Path:
    if format != "same":
        ending = target_for("WAV", "PCM_16", wanted=format).suffix
    elif name.suffix.lower() in CONTAINER_SUFFIXES:
        ending = ".wav"
    elif name.suffix.lower() == ".mp2":
        ending = ".mp3"
    else:
        ending = name.suffix
    return name.with_name(name.stem + suffix + ending)


def _distinct(names: list[Path], format: str, suffix: str) -> list[Path]:
    outputs = [_renamed(name, format, suffix) for name in names]
    # Compared as a file system without case would.
    count = Counter(os.fspath(output).casefold() for output in outputs)
    taken = {output for output, times in count.items() if times == 1}
    for index, (name, output) in enumerate(zip(names, outputs, strict=True)):
        if count[os.fspath(output).casefold()] == 1:
            continue
        stem = name.name
        output = output.with_name(stem + suffix + output.suffix)
        while os.fspath(output).casefold() in taken:
            stem += "~"
            output = output.with_name(stem + suffix + output.suffix)
        taken.add(os.fspath(output).casefold())
        outputs[index] = output
    return outputs
