"""A file takes its place whole, or the old one stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from smle.files.whole_files import whole_file, write_whole


def test_what_stood_there_stays_until_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    write_whole(path, b"old")
    with whole_file(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    with pytest.raises(KeyboardInterrupt), whole_file(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"new"
    assert [one.name for one in tmp_path.iterdir()] == ["facts.json"]


def test_what_a_killed_process_left_goes_and_what_another_writes_stays(tmp_path: Path) -> None:
    (tmp_path / ".0123456789abcdef.smle-part").write_bytes(b"left")
    with whole_file(tmp_path / "a") as one:
        one.write(b"one")
        write_whole(tmp_path / "b", b"two")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "a": b"one",
        "b": b"two",
    }
