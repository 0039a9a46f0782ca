"""A picture of clusters: the points on their two principal components."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from smle.clustering.grouping import Grouped
from smle.errors import SmleError
from smle.files.whole_files import write_whole


def draw_clusters(path: str | Path, grouped: Grouped) -> None:
    """Draw one panel per grouping, points coloured by cluster.

    Args:
        path: PNG file.
        grouped: Groupings with their points.

    Raises:
        SmleError: matplotlib is not installed, or there are no points.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise SmleError(
            "matplotlib is not installed; install it with: pip install 'smle[plots]'"
        ) from None
    if not grouped.names:
        raise SmleError("there are no points to draw: group by speaker, noise or loss")
    from sklearn.decomposition import PCA

    components = PCA(2).fit(grouped.points)
    flat = components.transform(grouped.points)
    explained = components.explained_variance_ratio_
    panels = len(grouped.groupings)
    figure = Figure(figsize=(5 * panels, 4.6), layout="constrained")
    for axes, grouping in zip(
        figure.subplots(1, panels, squeeze=False)[0], grouped.groupings, strict=True
    ):
        labels = np.array([grouping.assignments[name] for name in grouped.names])
        for index, cluster in enumerate(grouping.names):
            mine = flat[labels == index]
            axes.scatter(mine[:, 0], mine[:, 1], s=12, label=f"{cluster} ({len(mine)})")
        axes.set_title(f"K = {len(grouping)}")
        axes.set_xlabel(f"first component ({explained[0]:.0%} of the variance)")
        axes.set_ylabel(f"second ({explained[1]:.0%})")
        axes.legend(fontsize="x-small")
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=110)
    write_whole(Path(path), drawn.getvalue())
