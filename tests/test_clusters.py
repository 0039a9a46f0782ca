from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from smle.errors import CorpusError
from smle.material.clusters import Clusters, Only, read_clusters, write_clusters

LEVELS = Clusters("snr", ("-5 dB", "0 dB", "5 dB", "10 dB"), levels_db=(-5, 0, 5, 10))
SPEAKERS = Clusters("speaker", ("0", "1"), {"anna": 0, "bert": 1, "carl": 1})


@pytest.mark.parametrize(
    ("snr_db", "label"), [(-math.inf, 0), (-9, 0), (-2.4, 1), (3, 2), (7.6, 3), (math.inf, 3)]
)
def test_snr_label_is_the_nearest_level(snr_db: float, label: int) -> None:
    assert LEVELS.label(snr_db=snr_db) == label


def test_the_interval_of_a_level_is_labelled_as_that_level() -> None:
    for index in range(4):
        low, high = LEVELS.only(index).snr_db or (0, 0)
        middle = min(max((low + high) / 2, -99), 99) if low > -math.inf < high else high - 1
        assert LEVELS.label(snr_db=middle) == index


def test_unknown_key_has_no_label() -> None:
    assert SPEAKERS.label(speaker="dora") == -1
    assert SPEAKERS.label() == -1
    assert SPEAKERS.label(speaker="carl", gender="M") == 1
    assert SPEAKERS.only(1) == Only(speakers=frozenset({"bert", "carl"}))


def test_file_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "clusters.json"
    write_clusters(path, [LEVELS])
    assert read_clusters(path) == LEVELS
    three = Clusters("speaker", ("0", "1", "2"), {"anna": 0, "bert": 1, "carl": 2})
    write_clusters(path, [SPEAKERS, three])
    assert read_clusters(path, 3) == three
    with pytest.raises(CorpusError, match="choose K out of 2, 3"):
        read_clusters(path)
    with pytest.raises(CorpusError, match="no grouping into 4"):
        read_clusters(path, 4)


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        json.dumps({"format": 2, "groupings": []}),
        json.dumps({"format": 1, "groupings": [{"by": "speaker"}]}),
        json.dumps({"format": 1, "groupings": [{"by": "mood", "names": ["a"]}]}),
        json.dumps(
            {"format": 1, "groupings": [{"by": "speaker", "names": ["a"], "assignments": {"x": 1}}]}
        ),
    ],
)
def test_bad_file_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "clusters.json"
    path.write_text(text)
    with pytest.raises(CorpusError) as raised:
        read_clusters(path)
    assert "\n" not in str(raised.value)


def test_gender_is_known_by_the_speaker_or_by_the_label() -> None:
    genders = Clusters("gender", ("F", "M"), {"F": 0, "M": 1, "anna": 0, "bert": 1})
    assert genders.label(speaker="anna") == 0
    assert genders.label(speaker="dora", gender="M") == 1
    assert genders.label(speaker="dora") == -1
    only = genders.only(1)
    assert only.allows_speech(name="x.wav", speaker="bert", gender=None)
    assert only.allows_speech(name="x.wav", speaker=None, gender="M")
    assert not only.allows_speech(name="x.wav", speaker="anna", gender="F")
