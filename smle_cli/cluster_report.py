"""The table of clusters and what is known of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smle_cli.consoles import message_console

if TYPE_CHECKING:
    from smle.clustering.grouping import Grouped
    from smle.material.clusters import Clusters


def show_clusters(grouped: Grouped) -> None:
    """Print every grouping's clusters and scores, then the notes, on standard error.

    Args:
        grouped: What was found.
    """
    from rich.table import Table
    from rich.text import Text

    console = message_console()
    for grouping in grouped.groupings:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("cluster")
        for name in ("size", "hours", "genders", "interval"):
            table.add_column(name, justify="right")
        for index in range(len(grouping)):
            table.add_row(*(Text(cell) for cell in _cells(grouping, index)))
        console.print(table)
        console.print(_scores(grouping), soft_wrap=True, markup=False)
    for note in grouped.notes:
        console.print(note, soft_wrap=True, markup=False)


def _cells(grouping: Clusters, index: int) -> tuple[str, ...]:
    facts = grouping.facts
    genders = facts["genders"][index] if "genders" in facts else {}
    interval = ""
    if grouping.by == "snr":
        low, high = grouping.only(index).snr_db or (0.0, 0.0)
        interval = f"{low:g} to {high:g} dB"
    return (
        grouping.names[index],
        str(facts["sizes"][index]) if "sizes" in facts else "",
        f"{facts['hours'][index]:.2f}" if "hours" in facts else "",
        " ".join(f"{count} {gender}" for gender, count in genders.items()),
        interval,
    )


def _scores(grouping: Clusters) -> str:
    facts = grouping.facts
    parts = [f"K = {len(grouping)} by {grouping.by}"]
    parts += [
        f"{key.replace('_', ' ')} {facts[key]:.3f}"
        for key in ("silhouette", "stability", "gender_purity")
        if facts.get(key) is not None
    ]
    if "embedding" in facts:
        embedding = facts["embedding"]
        parts.append(
            f"pairs of {embedding['judged_on']} told right {embedding['pair_accuracy']:.1%}, "
            f"embedded {embedding['heard']}"
        )
    if facts.get("rounds"):
        last = facts["rounds"][-1]
        parts.append(
            f"{len(facts['rounds'])} rounds, {last['moved']:.1%} moved in the last, loss with the "
            f"own specialist {last['own_loss']:.4f}, with any {last['average_loss']:.4f}"
        )
    return "; ".join(parts)
