from __future__ import annotations

from pathlib import Path

import pytest

from smle.errors import AudioError, CorpusError
from smle.evaluation.pair_lists import read_conditions, read_pairs
from smle.evaluation.pairs import match_pairs, with_conditions


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


def test_files_match_by_relative_path_whatever_their_extension(tmp_path: Path) -> None:
    estimate = touch(tmp_path / "e", "a.wav", "sub/a.wav", "only_here.wav", "notes.txt")
    clean = touch(tmp_path / "c", "a.flac", "sub/a.flac", "sub/missing.flac")
    matched = match_pairs({"tool": estimate}, clean)
    assert [pair.name for pair in matched.pairs] == ["a", "sub/a"]
    assert matched.pairs[1].estimates == {"tool": estimate / "sub/a.wav"}
    assert matched.pairs[1].clean == clean / "sub/a.flac"
    assert {path.name for path in matched.unmatched} == {"only_here.wav", "missing.flac"}


def test_systems_are_compared_on_the_files_that_all_have(tmp_path: Path) -> None:
    one, two = touch(tmp_path / "1", "a.wav", "b.wav"), touch(tmp_path / "2", "b.wav")
    clean, noisy = touch(tmp_path / "c", "a.wav", "b.wav"), touch(tmp_path / "n", "a.wav", "b.wav")
    [pair] = match_pairs({"one": one, "two": two}, clean, noisy).pairs
    assert (pair.name, pair.noisy) == ("b", noisy / "b.wav")
    assert len(pair.files) == 4


def test_a_dot_within_a_name_is_part_of_it(tmp_path: Path) -> None:
    estimate = touch(tmp_path / "e", "x_-2.5.wav", "x_-2.7.wav")
    clean = touch(tmp_path / "c", "x_-2.5.flac", "x_-2.7.flac")
    assert [pair.name for pair in match_pairs({"e": estimate}, clean).pairs] == ["x_-2.5", "x_-2.7"]


def test_single_files_are_a_pair_whatever_their_names(tmp_path: Path) -> None:
    folder = touch(tmp_path, "a.wav", "b.wav")
    [pair] = match_pairs({"e": folder / "a.wav"}, folder / "b.wav").pairs
    assert (pair.name, pair.clean) == ("a", folder / "b.wav")


def test_what_cannot_match_is_said(tmp_path: Path) -> None:
    estimate, clean = touch(tmp_path / "e", "a.wav"), touch(tmp_path / "c", "b.wav")
    with pytest.raises(CorpusError, match="such as a and b"):
        match_pairs({"e": estimate}, clean)
    with pytest.raises(CorpusError, match="holds no audio"):
        match_pairs({"e": touch(tmp_path / "empty", "readme.md")}, clean)
    with pytest.raises(CorpusError, match="is a file but"):
        match_pairs({"e": estimate / "a.wav"}, clean)
    with pytest.raises(CorpusError, match=r"claen\.wav: no such file"):
        match_pairs({"e": estimate / "a.wav"}, tmp_path / "claen.wav")
    with pytest.raises(CorpusError, match="differ only by extension"):
        match_pairs({"e": touch(tmp_path / "twice", "a.wav", "a.flac")}, clean)
    with pytest.raises(AudioError, match="no such folder"):
        match_pairs({"e": tmp_path / "nowhere"}, clean)


def test_conditions_are_numbers_where_they_look_like_it(tmp_path: Path) -> None:
    listing = tmp_path / "conditions.csv"
    listing.write_text("name,snr_db,speaker\na,-5,ls19\nsub/b.wav,2.5,\n")
    conditions = read_conditions(listing)
    assert conditions["a"] == {"snr_db": -5.0, "speaker": "ls19"}
    assert conditions["sub/b"] == {"snr_db": 2.5}
    pairs = match_pairs({"e": touch(tmp_path / "e", "a.wav")}, None).pairs
    [known] = with_conditions(pairs, conditions)
    assert known.conditions["speaker"] == "ls19"


def test_names_of_digits_and_names_within_names_stay_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("name,take,place\nx.1,0007,7\nx,20231115,8\n")
    found = read_conditions(tmp_path / "c.csv")
    assert found["x.1"] == {"take": "0007", "place": 7.0}
    assert found["x"] == {"take": "20231115", "place": 8.0}


def test_a_column_is_of_one_kind_and_names_are_words(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(
        "name,speaker,expert,level,code,snr_db,order\na,1088,1,nan,1_000,1e1,3\nb,908,2,-3,12,.5,?\n"
    )
    assert read_conditions(tmp_path / "c.csv") == {
        "a": {"speaker": "1088", "expert": "1", "code": "1_000", "snr_db": 10.0, "order": "3"},
        "b": {"speaker": "908", "expert": "2", "level": -3.0, "code": "12", "snr_db": 0.5}
        | {"order": "?"},
    }
    (tmp_path / "c.json").write_text('[{"name": "a", "gender": 1, "level": 2, "far": true}]')
    known = {"gender": "1", "level": 2.0, "far": "True"}
    assert read_conditions(tmp_path / "c.json") == {"a": known}


def test_a_pair_without_conditions_is_named(tmp_path: Path) -> None:
    pairs = match_pairs({"e": touch(tmp_path / "e", "a.wav", "b.wav")}, None).pairs
    with pytest.raises(CorpusError, match="1 of 2 pairs; b is missing"):
        with_conditions(pairs, {"a": {}})


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".json"])
def test_a_list_names_files_beside_it_and_conditions(tmp_path: Path, suffix: str) -> None:
    listing = tmp_path / f"pairs{suffix}"
    row = '{"noisy": "n/a.wav", "clean": "c/a.wav", "estimate:tool": "t/a.wav", "snr_db": 5}'
    listing.write_text(
        {
            ".csv": "noisy,clean,estimate:tool,snr_db\nn/a.wav,c/a.wav,t/a.wav,5\n",
            ".jsonl": row + "\n\n",
            ".json": f"[{row}]",
        }[suffix]
    )
    [pair] = read_pairs(listing)
    assert pair.name == "n/a"
    assert pair.clean == tmp_path / "c/a.wav"
    assert pair.estimates == {"tool": tmp_path / "t/a.wav"}
    assert pair.conditions == {"snr_db": 5.0}


def test_a_list_may_name_files_anywhere(tmp_path: Path) -> None:
    listing = tmp_path / "pairs.csv"
    listing.write_text("estimate,clean\n/far/e.wav,../c.wav\n../e.wav,/far/c.wav\n")
    one, two = read_pairs(listing)
    assert (one.name, one.estimates) == ("/far/e", {"estimate": Path("/far/e.wav")})
    assert one.clean == tmp_path / "../c.wav"
    assert (two.name, two.estimates) == ("../e", {"estimate": tmp_path / "../e.wav"})


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("clean\na.wav\n", "names no file to score"),
        ("estimate,clean\na.wav,b.wav\na.wav,c.wav\n", "two rows are named a"),
        ("estimate,clean\na.wav,b.wav\nc.wav,\n", "some rows lack a file"),
        ("estimate,clean\na.wav,b.wav,c.wav\n", "row 1 has more cells than the header"),
        ("", "holds no rows"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused(tmp_path: Path, text: str, word: str) -> None:
    listing = tmp_path / "pairs.csv"
    listing.write_text(text)
    with pytest.raises(CorpusError, match=word):
        read_pairs(listing)


def test_a_list_that_is_none_is_refused(tmp_path: Path) -> None:
    listing = tmp_path / "pairs.jsonl"
    listing.write_text("{broken")
    with pytest.raises(CorpusError, match="cannot be read as a list"):
        read_pairs(listing)
    listing.write_text('{"snr_db": 3}\n')
    with pytest.raises(CorpusError, match="no column `name` among snr_db"):
        read_conditions(listing)
    listing.write_text('{"name": "a", "snr_db": 3}\n{"name": "", "snr_db": 4}\n')
    with pytest.raises(CorpusError, match="row 2 has no name"):
        read_conditions(listing)
    with pytest.raises(CorpusError, match=r"gone\.csv: no such file; check the path"):
        read_conditions(tmp_path / "gone.csv")


def test_a_name_may_be_a_dot(tmp_path: Path) -> None:
    listing = tmp_path / "list.jsonl"
    listing.write_text('{"name": ".", "snr_db": 3}\n')
    assert read_conditions(listing) == {".": {"snr_db": 3.0}}
    listing.write_text('{"noisy": "."}\n')
    assert [pair.name for pair in read_pairs(listing)] == ["."]


def test_a_pair_has_one_set_of_conditions(tmp_path: Path) -> None:
    listing = tmp_path / "conditions.csv"
    listing.write_text("name,snr_db\na,5\na,5\n")
    assert read_conditions(listing) == {"a": {"snr_db": 5.0}}
    listing.write_text("name,snr_db\na,5\na,10\n")
    with pytest.raises(CorpusError, match="two rows are named a"):
        read_conditions(listing)
