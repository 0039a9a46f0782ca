"""Which files belong together: estimates, clean references and noisy inputs of one utterance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path

from smle.errors import CorpusError
from smle.files.paths import find_audio, shown

Condition = float | str


@dataclass(frozen=True)
class Pair:
    """The files of one utterance.

    Args:
        name: Relative path without extension, or the name that a list gives.
        estimates: What each system wrote, by the system's name.
        clean: The reference, if there is one.
        noisy: What the systems were given, if it is known.
        conditions: What is known of the utterance, such as {"snr_db": 5.0, "speaker": "ls19"}.
    """

    name: str
    estimates: Mapping[str, Path] = field(default_factory=dict)
    clean: Path | None = None
    noisy: Path | None = None
    conditions: Mapping[str, Condition] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Of whatever type a number is, NumPy's too: it is one.
        told = {
            name: float(value) if isinstance(value, Real) and not isinstance(value, bool) else value
            for name, value in self.conditions.items()
        }
        object.__setattr__(self, "conditions", told)

    @property
    def files(self) -> list[Path]:
        """Every file of the pair."""
        given = [self.clean, self.noisy, *self.estimates.values()]
        return [path for path in given if path is not None]


@dataclass(frozen=True)
class Matched:
    """The pairs found, and the files that found no partner."""

    pairs: tuple[Pair, ...]
    unmatched: tuple[Path, ...]


def match_pairs(
    estimates: Mapping[str, Path], clean: Path | None, noisy: Path | None = None
) -> Matched:
    """Match files by their path relative to their folder, without extension.

    A pair needs the clean file, the noisy file if a noisy folder is given, and the file of every
    system: systems are only compared on the same utterances. Single files make one pair.

    Args:
        estimates: A folder or file for each system, by name.
        clean: A folder or file of references; None to go without.
        noisy: A folder or file of what the systems were given; None if it is not known.

    Returns:
        Pairs sorted by name, and the files left over.

    Raises:
        CorpusError: If nothing matches, or two files of one folder have the same name.
        AudioError: If a folder does not exist.
    """
    places = {f"estimate:{name}": path for name, path in estimates.items()}
    if clean is not None:
        places["clean"] = clean
    if noisy is not None:
        places["noisy"] = noisy
    single = [path for path in places.values() if path.is_file()]
    if single and len(single) < len(places):
        folder = next(path for path in places.values() if not path.is_file())
        if not folder.exists():
            raise CorpusError(f"{shown(folder)}: no such file; check the path")
        raise CorpusError(
            f"{shown(single[0])} is a file but {shown(folder)} is not; give folders or files alone"
        )
    if single:
        stem = next(iter(places.values())).stem
        files = {role: {stem: path} for role, path in places.items()}
    else:
        files = {role: _by_name(path) for role, path in places.items()}
    common = set.intersection(*(set(found) for found in files.values()))
    if not common:
        raise CorpusError(_no_match(places, files))
    pairs = tuple(
        Pair(
            name=name,
            estimates={system: files[f"estimate:{system}"][name] for system in estimates},
            clean=files["clean"][name] if clean is not None else None,
            noisy=files["noisy"][name] if noisy is not None else None,
        )
        for name in sorted(common)
    )
    unmatched = sorted(
        path for found in files.values() for name, path in found.items() if name not in common
    )
    return Matched(pairs, tuple(unmatched))


def with_conditions(
    pairs: tuple[Pair, ...], conditions: Mapping[str, Mapping[str, Condition]]
) -> tuple[Pair, ...]:
    """Add to each pair what a list says of it.

    Args:
        pairs: Pairs as matched.
        conditions: Conditions by the pair's name.

    Returns:
        The pairs in the same order.

    Raises:
        CorpusError: If a pair is missing from the list.
    """
    missing = [pair.name for pair in pairs if pair.name not in conditions]
    if missing:
        raise CorpusError(
            f"the conditions name {len(pairs) - len(missing)} of {len(pairs)} pairs; "
            f"{shown(missing[0])} is missing: add a row whose name is its path without extension"
        )
    return tuple(
        Pair(
            pair.name,
            pair.estimates,
            pair.clean,
            pair.noisy,
            {**pair.conditions, **conditions[pair.name]},
        )
        for pair in pairs
    )


def _by_name(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in find_audio(folder):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise CorpusError(
                f"{shown(path)} and {found[name].name} differ only by extension; "
                "which one is meant? Move one away"
            )
        found[name] = path
    return found


def _no_match(places: Mapping[str, Path], files: Mapping[str, Mapping[str, Path]]) -> str:
    empty = [places[role] for role, found in files.items() if not found]
    if empty:
        return f"{shown(empty[0])} holds no audio files; check the path"
    examples = [next(iter(found)) for found in files.values()]
    return (
        f"no file has a partner of the same name in all of {len(places)} folders "
        f"(such as {shown(examples[0])} and {shown(examples[-1])}); rename them, "
        "or give a list of pairs"
    )
