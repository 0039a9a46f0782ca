"""Groups of training material, one per specialist."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

from smle.errors import CorpusError
from smle.files.whole_files import write_whole

FORMAT = 1
By = Literal["speaker", "gender", "snr", "noise", "loss"]
UNKNOWN = -1


@dataclass(frozen=True)
class Only:
    """The material of one cluster; what is None is not restricted.

    Speech belongs if its speaker, its gender or its name (relative to the corpus) is listed in
    ``speakers``, ``genders`` or ``utterances``; noise if its name is listed in ``noises``; the
    mixture is drawn within the interval ``snr_db``.
    """

    snr_db: tuple[float, float] | None = None
    speakers: frozenset[str] | None = None
    genders: frozenset[str] | None = None
    utterances: frozenset[str] | None = None
    noises: frozenset[str] | None = None

    def allows_speech(self, *, name: str, speaker: str | None, gender: str | None) -> bool:
        """Say whether an utterance belongs."""
        rules = ((self.speakers, speaker), (self.genders, gender), (self.utterances, name))
        asked = [(listed, key) for listed, key in rules if listed is not None]
        return not asked or any(key in listed for listed, key in asked)


@dataclass(frozen=True)
class Clusters:
    """A grouping into ``len(names)`` clusters.

    Args:
        by: What was grouped: the keys of ``assignments`` are speakers (speaker), genders and the
            speakers known to have them (gender), or names of files (noise, loss).
        names: One name for each cluster.
        assignments: Cluster of every key; empty for ``snr``.
        levels_db: Centres for ``snr``, rising: a mixture belongs to the nearest.
        facts: What else is known of the grouping: sizes, hours, scores, centroids.
    """

    by: By
    names: tuple[str, ...]
    assignments: Mapping[str, int] = field(default_factory=dict)
    levels_db: tuple[float, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Written so that NaN is refused, too.
        levels = (-math.inf, *self.levels_db, math.inf)
        if not all(a < b for a, b in pairwise(levels)):
            raise CorpusError(
                f"levels_db is {list(self.levels_db)}; give finite levels, each above the last"
            )

    def __len__(self) -> int:
        """Count the clusters."""
        return len(self.names)

    @property
    def edges_db(self) -> tuple[float, ...]:
        """Signal-to-noise ratios half-way between neighbouring levels."""
        return tuple(
            (a + b) / 2 for a, b in zip(self.levels_db[:-1], self.levels_db[1:], strict=True)
        )

    def label(
        self,
        *,
        speaker: str | None = None,
        gender: str | None = None,
        snr_db: float | None = None,
        noise: str | None = None,
        utterance: str | None = None,
    ) -> int:
        """Return the cluster of a mixture, or -1 where what decides it is not known."""
        if self.by == "snr":
            if snr_db is None or math.isnan(snr_db):
                return UNKNOWN
            return sum(snr_db > edge for edge in self.edges_db)
        if self.by == "gender":
            known = self.assignments.get(speaker or "", UNKNOWN)
            return known if known != UNKNOWN else self.assignments.get(gender or "", UNKNOWN)
        key = {"speaker": speaker, "noise": noise, "loss": utterance}[self.by]
        return self.assignments.get(key or "", UNKNOWN)

    def only(self, index: int) -> Only:
        """Return the restriction that draws one cluster's material."""
        if not 0 <= index < len(self):
            raise CorpusError(f"there is no cluster {index}: give 0 to {len(self) - 1}")
        if self.by == "snr":
            edges = (-math.inf, *self.edges_db, math.inf)
            return Only(snr_db=(edges[index], edges[index + 1]))
        keys = frozenset(key for key, cluster in self.assignments.items() if cluster == index)
        match self.by:
            case "speaker":
                return Only(speakers=keys)
            case "gender":
                return Only(speakers=keys, genders=keys)
            case "noise":
                return Only(noises=keys)
            case "loss":
                return Only(utterances=keys)

    def to_table(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        table: dict[str, Any] = {"by": self.by, "names": list(self.names)}
        if self.by == "snr":
            table |= {"levels_db": list(self.levels_db), "edges_db": list(self.edges_db)}
        return table | {"facts": dict(self.facts), "assignments": dict(self.assignments)}

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Clusters:
        """Read what ``to_table`` returned.

        Raises:
            CorpusError: The table is not one.
        """
        try:
            by, names = table["by"], tuple(str(name) for name in table["names"])
            assignments = {str(k): int(v) for k, v in table.get("assignments", {}).items()}
            levels_db = tuple(float(level) for level in table.get("levels_db", ()))
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise CorpusError(f"no clusters: {error!r}; make them with `smle cluster`") from None
        if by not in get_args(By):
            raise CorpusError(f"clusters by {by!r} are unknown: use {', '.join(get_args(By))}")
        if not all(0 <= cluster < len(names) for cluster in assignments.values()):
            raise CorpusError(f"an assignment is outside the {len(names)} clusters: cluster again")
        return cls(by, names, assignments, levels_db, table.get("facts", {}))


def write_clusters(path: str | Path, groupings: list[Clusters]) -> None:
    """Write groupings of different size into one readable JSON file."""
    table = {"format": FORMAT, "groupings": [grouping.to_table() for grouping in groupings]}
    write_whole(Path(path), (json.dumps(table, indent=1) + "\n").encode())


def read_clusters(path: str | Path, k: int | None = None) -> Clusters:
    """Read the grouping into ``k`` clusters; ``k`` may be left out where there is only one.

    Raises:
        CorpusError: There is no such file or grouping.
    """
    path = Path(path)
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise CorpusError(f"no clusters at {path}: make them with `smle cluster`") from None
    except ValueError:
        raise CorpusError(f"{path} is not JSON: make clusters with `smle cluster`") from None
    found = table.get("groupings", []) if isinstance(table, dict) else None
    if not isinstance(found, list) or table.get("format") != FORMAT:
        raise CorpusError(f"{path} is not a clusters file of format {FORMAT}: cluster again")
    groupings = [Clusters.from_table(entry) for entry in found]
    sizes = ", ".join(str(len(grouping)) for grouping in groupings)
    if k is None and len(groupings) == 1:
        return groupings[0]
    for grouping in groupings:
        if len(grouping) == k:
            return grouping
    asked = "several groupings" if k is None else f"no grouping into {k}"
    raise CorpusError(f"{path} holds {asked}: choose K out of {sizes}")
