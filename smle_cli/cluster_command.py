"""Group training material, one cluster per specialist."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import click

from smle_cli.given_options import refuse_given
from smle_cli.given_path import GivenPath

if TYPE_CHECKING:
    from smle.clustering.grouping import Grouped

T = TypeVar("T", int, float)
PICTURED = ("speaker", "noise", "loss")  # points that fall into K clusters
MEANT_FOR = {
    "ks": PICTURED,
    "levels_db": ("snr",),
    "noise": ("speaker", "loss"),
    "speakers": ("speaker", "gender"),
    "heard": ("speaker",),
    "steps": ("speaker", "loss"),
}
PATH = GivenPath(path_type=Path)
FOLDER = GivenPath(path_type=Path, file_okay=False)
# scikit-learn takes 32 bits, and stability is measured with ten more.
LARGEST_SEED = 2**32 - 11


def _integers(context: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
    return tuple(_read(int, part, parameter) for part in value.split(","))


def _decibels(context: click.Context, parameter: click.Parameter, value: str) -> tuple[float, ...]:
    return tuple(_read(float, part, parameter) for part in value.split(","))


def _read(kind: type[T], text: str, parameter: click.Parameter) -> T:
    try:
        return kind(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no number; write numbers with commas between", param=parameter
        ) from None


@click.command()
@click.argument("corpus", type=PATH, required=False)
@click.option("--out", "-o", type=PATH, required=True, metavar="JSON", help="File to write.")
@click.option(
    "--by",
    type=click.Choice(("speaker", "gender", "snr", "noise", "loss")),
    required=True,
    help="What makes material alike.",
)
@click.option(
    "-k",
    "ks",
    callback=_integers,
    default="2",
    metavar="K,K",
    help="Numbers of clusters, as 2,5,10.",
)
@click.option(
    "--levels-db", callback=_decibels, default="-5,0,5,10", metavar="DB,DB", help="For --by snr."
)
@click.option("--noise", type=PATH, help="Noise to train with, for --by speaker and loss.")
@click.option("--speakers", type=PATH, help="CSV or JSONL with speaker and gender.")
@click.option(
    "--heard",
    type=click.Choice(("clean", "noisy")),
    default="clean",
    help="How speakers' utterances are embedded.",
)
@click.option(
    "--steps", type=click.IntRange(1), help="Updates of the embedding, or in a round by loss."
)
@click.option("--seed", default=0, type=click.IntRange(0, LARGEST_SEED))
@click.option(
    "--jobs", default=0, type=click.IntRange(0), help="Files at a time; 0 takes all cores."
)
@click.option("--cache", type=FOLDER, help="Folder for decoded audio.")
@click.option("--force", is_flag=True, help="Overwrite JSON and its picture.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but errors.")
def cluster(
    corpus: Path | None,
    *,
    out: Path,
    by: Literal["speaker", "gender", "snr", "noise", "loss"],
    ks: tuple[int, ...],
    levels_db: tuple[float, ...],
    noise: Path | None,
    speakers: Path | None,
    heard: Literal["clean", "noisy"],
    steps: int | None,
    seed: int,
    jobs: int,
    cache: Path | None,
    force: bool,
    quiet: bool,
) -> None:
    """Group CORPUS: a folder of speaker folders, a flat folder, or a JSONL or CSV manifest.

    For --by noise CORPUS holds noise; --by snr needs none. JSON holds for every K the assignments,
    centroids, sizes, hours, silhouette, stability and, where they are known, genders; a picture of
    the embedding space is drawn beside it where matplotlib is installed.
    """
    from smle.clustering.run import Clustering, cluster_corpus
    from smle.errors import CorpusError
    from smle.material.clusters import write_clusters
    from smle_cli.cluster_report import show_clusters
    from smle_cli.consoles import message_console, show_log
    from smle_cli.interrupts import stop_if_asked
    from smle_cli.training_progress import TrainingProgress

    for option, kinds in MEANT_FOR.items():
        if by not in kinds:
            refuse_given((option,), f"for --by {' or '.join(kinds)}; this is --by {by}")
    if out.is_dir() or out.suffix.lower() == ".png":
        raise click.UsageError(f"--out {out} is no name for JSON; end it in .json")
    picture = out.with_suffix(".png")
    for path in (out, picture) if by in PICTURED else (out,):
        if path.exists() and not force:
            raise CorpusError(f"{path} exists; name another file, or overwrite it with --force")
    if not out.parent.is_dir():
        raise CorpusError(f"there is no folder {out.parent}; make it, or name another file")
    show_log(quiet=quiet, verbose=False)
    asked = Clustering(
        by=by,
        ks=tuple(dict.fromkeys(ks)),
        levels_db=levels_db,
        corpus=corpus,
        noise=noise,
        speakers=speakers,
        heard=heard,
        steps=steps,
        seed=seed,
        jobs=jobs or -1,
        cache=cache,
    )
    with TrainingProgress(message_console()) as progress:
        grouped = cluster_corpus(asked, watch=(lambda _: None) if quiet else progress)
    stop_if_asked()
    write_clusters(out, grouped.groupings)
    if not quiet:
        show_clusters(grouped)
    if grouped.names:
        _draw(picture, grouped, quiet=quiet)
    click.echo(out)


def _draw(picture: Path, grouped: Grouped, *, quiet: bool) -> None:
    from smle.clustering.plot import draw_clusters
    from smle.errors import SmleError

    try:
        draw_clusters(picture, grouped)
    except SmleError as error:
        if not quiet:
            click.echo(f"no picture: {error}", err=True)
