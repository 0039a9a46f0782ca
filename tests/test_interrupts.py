"""Ctrl-C is never lost, wherever it falls, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from smle.files import part_files
from smle.files.audio import AudioWriter, write
from smle.files.formats import SequentialFile
from smle.interrupts import SIGNALS
from smle_cli.interrupts import hear_interrupts
from smle_cli.pair_progress import PairProgress


@pytest.mark.parametrize("callback", ["tell", "seek", "write"])
@pytest.mark.parametrize("format", ["WAV", "FLAC"])
def test_an_interrupt_within_a_callback_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, callback: str, format: str
) -> None:
    made = part_files.PartFile.__init__

    def interrupted(self: part_files.PartFile, path: Path, before: bytes) -> None:
        made(self, path, before)
        genuine = getattr(self, callback)

        def call(*arguments: object) -> object:
            os.kill(os.getpid(), signal.SIGINT)
            return genuine(*arguments)

        setattr(self, callback, call)

    monkeypatch.setattr(part_files.PartFile, "__init__", interrupted)
    writer = AudioWriter(tmp_path / "out", 16_000, 1, format=format, subtype="PCM_16")
    with pytest.raises(KeyboardInterrupt), writer:
        writer.write(np.zeros((1, 100_000), np.float32))
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_while_tags_are_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: SequentialFile, name: str, value: object) -> None:
        if name == "title":
            raise KeyboardInterrupt
        sf.SoundFile.__setattr__(self, name, value)

    monkeypatch.setattr(SequentialFile, "__setattr__", interrupted, raising=False)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a.flac", np.zeros((1, 100), np.float32), 16_000, tags={"title": "A"})
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_that_a_library_swallowed_ends_the_run_at_the_next_pair(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    progress = PairProgress(None, 2)
    try:
        hear_interrupts()
        progress.advance()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            progress.advance()
        hear_interrupts()
        progress.advance()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
