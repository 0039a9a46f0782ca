from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from smle.errors import CorpusError
from smle.material.corpus import read_corpus
from smle.material.decoded import Decoded


def write_tone(path: Path, seconds: float = 0.1, rate: int = 16000, level: float = 0.25) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(seconds * rate)) / rate
    sf.write(path, level * np.sin(2 * np.pi * 440 * time), rate)
    return path


def test_speaker_is_the_folder_and_unlabelled_is_nobody(tmp_path: Path) -> None:
    for name in ("libri/ls1/a.wav", "libri/ls2/b.wav", "other/unlabelled/c.wav", "d.wav"):
        write_tone(tmp_path / name)
    corpus = read_corpus(tmp_path)
    assert {u.path.name: u.speaker for u in corpus.utterances} == {
        "a.wav": "ls1",
        "b.wav": "ls2",
        "c.wav": None,
        "d.wav": None,
    }
    assert "libri/ls1/a.wav" in corpus.names
    assert corpus.seconds == pytest.approx(0.4)


def test_chapters_of_librispeech_are_not_speakers(tmp_path: Path) -> None:
    write_tone(tmp_path / "103" / "1240" / "103-1240-0000.flac")
    assert read_corpus(tmp_path).speakers == {"103": 1}


def test_genders_come_from_a_table(tmp_path: Path) -> None:
    write_tone(tmp_path / "corpus" / "anna" / "a.wav")
    write_tone(tmp_path / "corpus" / "bert" / "b.wav")
    table = tmp_path / "people.csv"
    table.write_text("speaker,gender\nanna,F\nbert,M\n")
    corpus = read_corpus(tmp_path / "corpus", speakers=table)
    assert [u.gender for u in corpus.utterances] == ["F", "M"]
    (tmp_path / "corpus" / "speakers.csv").write_text(table.read_text())
    assert read_corpus(tmp_path / "corpus") == corpus


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_manifest_paths_are_relative_to_it(tmp_path: Path, kind: str) -> None:
    write_tone(tmp_path / "sound" / "a.wav")
    manifest = tmp_path / f"list.{kind}"
    row = {"path": "sound/a.wav", "speaker": "anna", "gender": "F"}
    if kind == "jsonl":
        manifest.write_text(json.dumps(row) + "\n\n")
    else:
        manifest.write_text("path,speaker,gender,seconds\nsound/a.wav,anna,F,\n")
    (utterance,) = read_corpus(manifest).utterances
    assert (utterance.speaker, utterance.gender) == ("anna", "F")
    assert utterance.seconds == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("a.jsonl", '{"path": "gone.wav"}\n', "line 1: no file"),
        ("a.jsonl", "{\n", "line 1 is not JSON"),
        ("a.jsonl", "[]\n", "line 1 is not a JSON object"),
        ("a.jsonl", "", "no audio"),
        ("a.csv", "speaker\nx\n", "line 2 has no path"),
        ("a.txt", "x", "must end in .jsonl or .csv"),
    ],
)
def test_bad_manifest_is_one_line(tmp_path: Path, name: str, text: str, complaint: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(CorpusError, match=complaint) as raised:
        read_corpus(tmp_path / name)
    assert "\n" not in str(raised.value)


def test_manifests_as_spreadsheets_save_them(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", np.zeros(1600), 16_000)
    (tmp_path / "m.CSV").write_bytes("\ufeffpath,speaker\r\na.wav,Zoë\r\n".encode())
    assert [u.speaker for u in read_corpus(tmp_path / "m.CSV").utterances] == ["Zoë"]
    (tmp_path / "latin.csv").write_bytes("path,speaker\na.wav,Zoë\n".encode("latin-1"))
    with pytest.raises(CorpusError, match="save it as UTF-8"):
        read_corpus(tmp_path / "latin.csv")
    (tmp_path / "nan.csv").write_text("path,seconds\na.wav,nan\n")
    with pytest.raises(CorpusError, match="seconds is 'nan'"):
        read_corpus(tmp_path / "nan.csv")


def test_missing_empty_and_unreadable_corpora(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no corpus at"):
        read_corpus(tmp_path / "gone")
    with pytest.raises(CorpusError, match="no audio in"):
        read_corpus(tmp_path)
    (tmp_path / "broken.wav").write_bytes(b"this is no sound")
    with pytest.raises(CorpusError, match=r"broken\.wav"):
        read_corpus(tmp_path)


def test_cached_mapped_and_on_demand_samples_are_equal(tmp_path: Path) -> None:
    write_tone(tmp_path / "corpus" / "a.wav", 0.2)
    write_tone(tmp_path / "corpus" / "b.wav", 0.1, rate=8000)
    corpus = read_corpus(tmp_path / "corpus")
    held = Decoded(corpus)
    mapped = Decoded(corpus, cache_dir=tmp_path / "cache")
    again = Decoded(corpus, cache_dir=tmp_path / "cache")
    on_demand = Decoded(corpus, max_bytes=0)
    for index in range(2):
        for other in (mapped, again, on_demand):
            assert other.length(index) == held.length(index)
            np.testing.assert_array_equal(
                other.excerpt(index, 100, 700), held.excerpt(index, 100, 700)
            )
    source, _ = sf.read(tmp_path / "corpus" / "a.wav")
    np.testing.assert_allclose(held.excerpt(0), source, atol=1 / 32767)
    assert held.length(1) == 1600


@pytest.mark.parametrize("part", ["*.int16", "*.npy"])
@pytest.mark.parametrize("cut", [0, 301])
def test_a_torn_cache_is_made_anew(tmp_path: Path, part: str, cut: int) -> None:
    write_tone(tmp_path / "corpus" / "a.wav", 0.2)
    corpus = read_corpus(tmp_path / "corpus")
    Decoded(corpus, cache_dir=tmp_path / "cache")
    (torn,) = (tmp_path / "cache").glob(part)
    torn.write_bytes(torn.read_bytes()[:cut].ljust(cut, b"x"))
    again = Decoded(corpus, cache_dir=tmp_path / "cache")
    np.testing.assert_array_equal(again.excerpt(0), Decoded(corpus).excerpt(0))


def test_changed_file_is_decoded_anew(tmp_path: Path) -> None:
    path = write_tone(tmp_path / "corpus" / "a.wav", level=0.25)
    Decoded(read_corpus(tmp_path / "corpus"), cache_dir=tmp_path / "cache")
    write_tone(path, level=0.5, seconds=0.2)
    decoded = Decoded(read_corpus(tmp_path / "corpus"), cache_dir=tmp_path / "cache")
    assert np.abs(decoded.excerpt(0)).max() == pytest.approx(0.5, abs=1e-3)
    assert not list((tmp_path / "cache").glob(".*"))
