"""Pairs and their conditions from a CSV or JSONL file."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path

from smle.errors import CorpusError
from smle.evaluation.pairs import Condition, Pair
from smle.files.paths import shown

ESTIMATE = "estimate"

# Names, even where all of them are made of digits.
_WORDS = frozenset(("expert", "gender", "noise", "speaker"))
_NUMBER = re.compile(
    r"\s*[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan|inf(?:inity)?)\s*", re.IGNORECASE
)
_LEADING_ZERO = re.compile(r"0\d")


def read_pairs(path: Path) -> tuple[Pair, ...]:
    """Read a list of pairs.

    Columns: `clean`, `noisy`, `estimate` (or `estimate:NAME` for several systems) hold paths,
    relative to the list's folder; `name` is optional; every other column is a condition, as
    `read_conditions` takes them.

    Args:
        path: A .csv, .jsonl or .json file.

    Returns:
        The pairs in the order of the list.

    Raises:
        CorpusError: If the list cannot be read, names nothing to score, or names one pair twice.
    """
    pairs: dict[str, Pair] = {}
    rows = list(_rows(path))
    numbers = _numbers(rows)
    for row in rows:
        files = {
            key: path.parent / str(value)
            for key, value in row.items()
            if value and (key in ("clean", "noisy", ESTIMATE) or key.startswith(f"{ESTIMATE}:"))
        }
        systems = {
            key.partition(":")[2] or ESTIMATE: file
            for key, file in files.items()
            if key.startswith(ESTIMATE)
        }
        if len(systems) < sum(key.startswith(ESTIMATE) for key in files):
            raise CorpusError(f"{shown(path)}: two columns are of one system; rename one")
        named = [key for key in ("noisy", *files) if key in files and key != "clean"]
        if not named:
            raise CorpusError(
                f"{shown(path)}: row {len(pairs) + 1} names no file to score; "
                "give a column noisy or estimate"
            )
        name = str(row.get("name") or _without_suffix(str(row[named[0]])))
        if name in pairs:
            raise CorpusError(f"{shown(path)}: two rows are named {shown(name)}; rename one")
        conditions = _conditions(row, numbers, {"name", *files})
        pairs[name] = Pair(name, systems, files.get("clean"), files.get("noisy"), conditions)
    expected = {frozenset(pair.estimates) | _roles(pair) for pair in pairs.values()}
    if len(expected) > 1:
        raise CorpusError(
            f"{shown(path)}: some rows lack a file that others have; fill in every row"
        )
    return tuple(pairs.values())


def read_conditions(path: Path) -> dict[str, dict[str, Condition]]:
    """Read what is known of each pair.

    Args:
        path: A .csv, .jsonl or .json file with a column `name`, the pair's relative path with or
            without extension. Every other column is a condition: numbers where all of it is and
            none begins with a zero too many, else words; `expert`, `gender`, `noise` and `speaker`
            always are words. What is empty, or no finite number among numbers, is unknown.

    Returns:
        Conditions by the pair's name without extension.

    Raises:
        CorpusError: If the list cannot be read, has no column `name`, or says two things of a pair.
    """
    found: dict[str, dict[str, Condition]] = {}
    shorter: dict[str, dict[str, Condition]] = {}
    rows = list(_rows(path))
    numbers = _numbers(rows)
    for number, row in enumerate(rows, start=1):
        if "name" not in row:
            raise CorpusError(
                f"{shown(path)}: no column `name` among {', '.join(row)}; "
                "it holds each pair's path without extension"
            )
        if not row["name"]:
            raise CorpusError(f"{shown(path)}: row {number} has no name; give it one or remove it")
        conditions = _conditions(row, numbers, {"name"})
        name = str(row["name"])
        if found.get(name, conditions) != conditions:
            raise CorpusError(f"{shown(path)}: two rows are named {shown(name)}; remove one")
        found[name] = conditions
        shorter.setdefault(_without_suffix(name), conditions)
    return shorter | found


def _without_suffix(name: str) -> str:
    path = Path(name)
    return path.with_suffix("").as_posix() if path.name else name


def _rows(path: Path) -> Iterator[Mapping[str, object]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".csv":
            rows: list[dict[str, object]] = list(csv.DictReader(io.StringIO(text, newline="")))
        elif path.suffix.lower() == ".jsonl":
            rows = [json.loads(line) for line in text.split("\n") if line.strip()]
        else:
            rows = json.loads(text)
    except FileNotFoundError as error:
        raise CorpusError(f"{shown(path)}: no such file; check the path") from error
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise CorpusError(f"{shown(path)}: cannot be read as a list ({error})") from error
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise CorpusError(
            f"{shown(path)}: holds no rows; give a CSV with a header or one JSON object a line"
        )
    for number, row in enumerate(rows, start=1):
        # What csv calls the cells beyond the header.
        if None in row:
            raise CorpusError(
                f"{shown(path)}: row {number} has more cells than the header; "
                "quote values that hold commas"
            )
        yield row


def _roles(pair: Pair) -> frozenset[str]:
    return frozenset(f":{role}" for role in ("clean", "noisy") if getattr(pair, role) is not None)


def _numbers(rows: Sequence[Mapping[str, object]]) -> set[str]:
    """The columns that hold nothing but numbers."""
    columns = {key for row in rows for key in row}
    return {
        key
        for key in columns - _WORDS
        if all(_is_number(row[key]) for row in rows if row.get(key) not in (None, ""))
    }


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        return bool(_NUMBER.fullmatch(value)) and not _LEADING_ZERO.match(value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _conditions(
    row: Mapping[str, object], numbers: Set[str], others: Set[str]
) -> dict[str, Condition]:
    known = {
        key: value for key, value in row.items() if key not in others and value not in (None, "")
    }
    found: dict[str, Condition] = {}
    for key, value in known.items():
        if key not in numbers:
            found[key] = str(value)
        elif math.isfinite(number := float(str(value))):
            found[key] = number
    return found
