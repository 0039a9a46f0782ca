"""`smle enhance --scheduler`: a cluster of processes on this machine, one of which is killed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from processes import ENVIRONMENT, outputs, start, whole_outputs

pytest.importorskip("distributed")


@contextmanager
def dask(tmp_path: Path, kind: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *arguments]
    with (tmp_path / f"{kind}.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--no-dashboard"], env=ENVIRONMENT, cwd=tmp_path, stdout=log, stderr=log
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def test_every_file_is_done_once_though_a_worker_dies(
    many: Path, uninterrupted: Path, tmp_path: Path, model_folder: Path
) -> None:
    facts = tmp_path / "scheduler.json"
    with ExitStack() as stack:
        stack.enter_context(
            dask(
                *(tmp_path, "scheduler", "--host", "127.0.0.1", "--port", "0"),
                *("--scheduler-file", str(facts)),
            )
        )
        one = ("--nthreads", "1", "--no-nanny", "--host", "127.0.0.1")
        workers = [
            stack.enter_context(
                dask(tmp_path, "worker", "--scheduler-file", str(facts), *one, "--name", name)
            )
            for name in ("first", "second")
        ]
        while (tmp_path / "worker.log").read_bytes().count(b"Registered to") < len(workers):
            assert all(worker.poll() is None for worker in workers)
            time.sleep(0.1)
        out, report = tmp_path / "out", tmp_path / "report.jsonl"
        process = start(
            *("enhance", "--model", model_folder, many, out, "--report", report),
            *("--scheduler", json.loads(facts.read_text())["address"]),
        )
        while whole_outputs(out) < 20 and process.poll() is None:
            time.sleep(0.01)
        workers[0].kill()
        _, err = process.communicate()
    assert process.returncode == 0, err
    assert outputs(out) == outputs(uninterrupted)
    records = [json.loads(line) for line in report.read_text().splitlines()[1:]]
    assert len(records) == len({record["input"] for record in records}) == 201
    assert {record["status"] for record in records} == {"done"}
    assert not list(out.rglob("*smle-part*"))


@pytest.mark.parametrize("address", ["nowhere", "tcp://127.0.0.1:port", ""])
def test_what_is_no_address_is_said_in_one_line(many: Path, tmp_path: Path, address: str) -> None:
    process = start("enhance", many, tmp_path / "out", "--scheduler", address)
    _, said = process.communicate()
    assert process.returncode == 1
    assert said.decode().startswith(f"smle: no scheduler answers at '{address}'")
    assert len(said.splitlines()) == 1
