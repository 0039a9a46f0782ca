from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from scipy.signal import lfilter

from smle.clustering.by_loss import LossClustering, by_loss, even_assignment
from smle.clustering.grouping import group
from smle.clustering.plot import draw_clusters
from smle.clustering.run import Clustering, cluster_corpus
from smle.clustering.siamese import SiameseTraining, embed_speakers, train_embedding
from smle.clustering.speaker_pairs import SpeakerPairs
from smle.clustering.timbre import timbre
from smle.errors import CorpusError, SmleError
from smle.material.clusters import read_clusters
from smle.material.corpus import read_corpus
from smle.material.decoded import Decoded
from smle.model.config import NetworkConfig
from smle_cli.main import exit_code

RATE = 16000


def voice(pitch_hz: float, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """A buzz at a pitch, coming and going as syllables do."""
    time = np.arange(round(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * pitch_hz * h * time + h) / h for h in range(1, 12))
    syllables = np.clip(np.sin(2 * np.pi * 3 * time + rng.uniform(0, 6)), 0, 1)
    return 0.1 * buzz * syllables


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Four low and four high voices, two recordings each; hiss and rumble as noise."""
    root = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    rows = ["speaker,gender"]
    for number in range(8):
        gender = "FM"[number % 2]
        speaker = root / "speech" / f"s{number}"
        speaker.mkdir(parents=True)
        rows.append(f"s{number},{gender}")
        pitch_hz = {"F": 220, "M": 110}[gender] + 3 * number
        for take in range(2):
            sf.write(speaker / f"{take}.wav", voice(pitch_hz, 2.5, rng), RATE)
    (root / "speech" / "speakers.csv").write_text("\n".join(rows) + "\n")
    (root / "noise").mkdir()
    for take in range(6):
        noise = 0.1 * rng.standard_normal(2 * RATE)
        sf.write(root / "noise" / f"hiss{take}.wav", noise, RATE)
        sf.write(root / "noise" / f"rumble{take}.wav", lfilter([0.1], [1, -0.95], noise), RATE)
    return root / "speech", root / "noise"


def test_two_kinds_of_noise_are_found(folders: tuple[Path, Path]) -> None:
    (found,) = cluster_corpus(Clustering("noise", folders[1], ks=(2,))).groupings
    kinds = [{name[:4] for name, c in found.assignments.items() if c == i} for i in range(2)]
    assert sorted(map(sorted, kinds)) == [["hiss"], ["rumb"]]
    assert found.facts["sizes"] == [6, 6]
    assert found.facts["stability"] == 1


def test_timbre_does_not_depend_on_level() -> None:
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    np.testing.assert_allclose(
        timbre(noise, sample_rate=RATE), timbre(noise * 1e-3, sample_rate=RATE), atol=1e-3
    )


def test_points_that_do_not_differ_are_not_grouped() -> None:
    points = np.repeat(np.eye(2, 3, dtype=np.float32), 3, axis=0)
    points[0] += 1e-7  # which is rounding
    names = list("abcdef")
    seconds = dict.fromkeys(names, 1.0)
    assert group("noise", names, points, seconds, 2, seed=0).facts["sizes"] == [3, 3]
    with pytest.raises(CorpusError, match="only 2 of 6 differ"):
        group("noise", names, points, seconds, 3, seed=0)


def test_grouping_of_points_that_fall_apart() -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(0, 1, (20, 3)), rng.normal(20, 1, (10, 3))])
    names = [f"n{i}" for i in range(30)]
    genders = {name: "FM"[i >= 20] if i != 3 else "M" for i, name in enumerate(names)}
    found = group(
        "speaker",
        names,
        points.astype(np.float32),
        dict.fromkeys(names, 360.0),
        2,
        seed=0,
        genders=genders,
    )
    assert found.facts["sizes"] == [20, 10]
    assert found.facts["hours"] == [2.0, 1.0]
    assert found.facts["stability"] == 1
    assert found.facts["silhouette"] > 0.9
    assert found.facts["gender_purity"] == pytest.approx(29 / 30, abs=1e-3)
    assert found.facts["genders"] == [{"F": 19, "M": 1}, {"M": 10}]


def test_embedding_learns_to_tell_voices_apart(folders: tuple[Path, Path]) -> None:
    speech, noise = (Decoded(read_corpus(folder)) for folder in folders)
    config = SiameseTraining(steps=40, speakers=4)
    trained = train_embedding(speech, noise, config, seed=0)
    assert trained.judged_on == "training speakers"
    assert trained.accuracy > 0.7
    short = SiameseTraining(steps=3, speakers=2)
    one_run, other_run = (train_embedding(speech, noise, short, seed=0) for _ in range(2))
    assert one_run.loss == other_run.loss != trained.loss
    names, one = embed_speakers(trained.network, speech, noise, "noisy", seed=0, jobs=1)
    _, other = embed_speakers(trained.network, speech, noise, "noisy", seed=0, jobs=2)
    assert names == [f"s{number}" for number in range(8)]
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_signals_of_a_batch_share_no_piece(folders: tuple[Path, Path]) -> None:
    speech, noise = (Decoded(read_corpus(folder)) for folder in folders)
    pairs = SpeakerPairs(speech, noise, list(speech.corpus.speakers), seed=0)
    signals, numbers = pairs.batch(0, 4)
    assert signals.shape == (8, 64000)
    assert sorted(numbers.tolist()) == sorted(np.repeat(np.unique(numbers), 2).tolist())


@pytest.mark.parametrize(("rows", "columns"), [(5, 4), (4, 3), (9, 4)])
def test_even_assignment_leaves_no_column_empty(rows: int, columns: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        sizes = np.bincount(even_assignment(rng.random((rows, columns))), minlength=columns)
        assert sizes.max() - sizes.min() <= 1


def test_even_assignment_is_the_cheapest_even_one() -> None:
    rng = np.random.default_rng(0)
    for rows, columns in ((6, 2), (6, 3), (5, 2)):
        costs = rng.random((rows, columns))
        most = -(-rows // columns)
        cheapest = min(
            costs[np.arange(rows), labels].sum()
            for labels in itertools.product(range(columns), repeat=rows)
            if max(np.bincount(labels)) <= most
        )
        found = even_assignment(costs)
        assert max(np.bincount(found)) <= most
        assert costs[np.arange(rows), found].sum() == pytest.approx(cheapest)


def test_loss_clusters_are_even_and_need_no_labels(folders: tuple[Path, Path]) -> None:
    speech, noise = (read_corpus(folder) for folder in folders)
    config = LossClustering(
        NetworkConfig(hidden_size=4), warm_up_steps=2, rounds=2, steps=2, noises=1
    )
    (found,) = by_loss(speech, noise, (2,), config=config).groupings
    assert found.facts["sizes"] == [8, 8]
    assert set(found.assignments) == set(speech.names)
    assert by_loss(speech, noise, (2,), config=config).groupings == [found]
    for line in found.facts["rounds"]:
        assert line["own_loss"] <= line["average_loss"]


def test_command_writes_file_picture_and_path(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "clusters.json"
    assert exit_code(["cluster", str(folders[0]), "-o", str(out), "--by", "gender"]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    assert read_clusters(out).only(0).allows_speech(name="x", speaker="s0", gender=None)
    noise = ["cluster", str(folders[1]), "-o", str(out), "--by", "noise", "-k", "2,3"]
    assert exit_code(noise) == 1
    assert "--force" in capsys.readouterr().err
    assert exit_code([*noise, "--force"]) == 0
    assert len(read_clusters(out, 3)) == 3
    assert out.with_suffix(".png").read_bytes()[:4] == b"\x89PNG"
    out.unlink()  # the picture stays: levels have none
    assert exit_code(["cluster", "-o", str(out), "--by", "snr", "--levels-db=-5,5"]) == 0
    assert json.loads(out.read_text())["groupings"][0]["edges_db"] == [0.0]


def test_missing_labels_and_wrong_numbers_are_one_line(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    speech, noise = map(str, folders)
    for arguments, complaint in (
        ([noise, "--by", "gender"], "0 gender"),
        ([noise, "--by", "speaker", "--noise", noise], "0 labelled speaker"),
        ([str(folders[0] / "s0"), "--by", "speaker", "--noise", noise], "0 labelled speaker"),
        ([speech, "--by", "speaker", "--noise", noise, "-k", "9"], "K is 9, but there are 8"),
        ([speech, "--by", "speaker"], "--noise"),
        ([noise, "--by", "noise", "-k", "1"], "K is 1"),
        (["--by", "snr", "--levels-db", "5"], "1 level"),
        (["--by", "snr", "--levels-db", "nan,5"], "give finite levels"),
        (["--by", "noise"], "name their folder"),
    ):
        assert exit_code(["cluster", *arguments, "-o", str(tmp_path / "c.json"), "-q"]) == 1
        error = capsys.readouterr().err
        assert complaint in error
        assert error.count("\n") == 1
    assert exit_code(["cluster", "-o", str(tmp_path / "no" / "c.json"), "--by", "snr"]) == 1
    assert "no folder" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert exit_code(["cluster", speech, "-o", "x", "--by", "noise", "-k", "two"]) == 2
    capsys.readouterr()
    for arguments, complaint in (
        (["--by", "snr", "-k", "3"], "-k is for --by speaker or noise or loss; this is --by snr"),
        ([noise, "--by", "noise", "--noise", noise], "--noise is for --by speaker or loss"),
        ([speech, "--by", "gender", "--levels-db", "1,2"], "--levels-db is for --by snr"),
    ):
        assert exit_code(["cluster", *arguments, "-o", str(tmp_path / "c.json")]) == 2
        assert complaint in capsys.readouterr().err
    seed = ["--seed", str(2**32)]
    assert exit_code(["cluster", noise, "-o", "x", "--by", "noise", *seed]) == 2
    for name in ("picture.png", "."):
        assert exit_code(["cluster", "-o", str(tmp_path / name), "--by", "snr", "--force"]) == 2
        assert "no name for JSON" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_speakers_without_a_pair_are_named(folders: tuple[Path, Path], tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"s{number}").mkdir()
        sf.write(tmp_path / f"s{number}" / "a.wav", np.full(RATE, 0.1), RATE)
    noise = Decoded(read_corpus(folders[1]))
    lonely = Decoded(read_corpus(tmp_path))
    with pytest.raises(CorpusError, match="0 speakers with two or more"):
        SpeakerPairs(lonely, noise, ["s0", "s1", "s2"], seed=0)
    for number in range(2):
        sf.write(tmp_path / f"s{number}" / "b.wav", np.full(RATE, 0.1), RATE)
    pairs = SpeakerPairs(Decoded(read_corpus(tmp_path)), noise, ["s0", "s1", "s2"], seed=0)
    assert pairs.left_out == ["s2"]


def test_picture_needs_points(tmp_path: Path) -> None:
    with pytest.raises(SmleError, match="no points"):
        draw_clusters(tmp_path / "x.png", cluster_corpus(Clustering("snr")))
