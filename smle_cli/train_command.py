"""Train a model from plain folders."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from smle_cli.given_path import GivenPath

if TYPE_CHECKING:
    from smle.training.stage import Progress, Watch

STAGES = ("all", "generalist", "specialists", "gate", "finetune", "polish")
FOLDER = GivenPath(path_type=Path, exists=True, file_okay=False)
NEW_FOLDER = GivenPath(path_type=Path, file_okay=False)


@click.command()
@click.argument("recipe", type=GivenPath(path_type=Path, exists=True, dir_okay=False))
@click.argument("corpus", type=GivenPath(path_type=Path), required=False)
@click.option("--out", "-o", type=NEW_FOLDER, required=True, metavar="RUN")
@click.option(
    "--stage",
    "stages",
    type=click.Choice(STAGES),
    multiple=True,
    default=("all",),
    help="What to train; may be given more than once.  [default: all]",
)
@click.option("--speech", type=GivenPath(path_type=Path), help="Clean speech, if not in CORPUS.")
@click.option("--noise", type=FOLDER, help="Noise, if not in CORPUS.")
@click.option("--rooms", type=FOLDER, help="Room responses, if not in CORPUS.")
@click.option("--cache", type=NEW_FOLDER, help="Folder for decoded audio.")
@click.option("--start-from", metavar="MODEL", help="Begin with its weights: a name or folder.")
@click.option("--resume", is_flag=True, help="Go on where RUN stopped.")
@click.option("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps.")
@click.option("--log", type=NEW_FOLDER, help="Folder for TensorBoard events.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but errors.")
def train(
    recipe: Path,
    corpus: Path | None,
    *,
    out: Path,
    stages: tuple[str, ...],
    speech: Path | None,
    noise: Path | None,
    rooms: Path | None,
    cache: Path | None,
    start_from: str | None,
    resume: bool,
    device: str,
    log: Path | None,
    quiet: bool,
) -> None:
    """Train the model of RECIPE on CORPUS; RUN/model is the result.

    CORPUS holds the folders speech and noise, and perhaps rooms (or rir); where these hold a folder
    train, that one is taken. With --speech and --noise it may be left out.
    """
    from smle.training.data import Material
    from smle.training.distributed import is_main_process, join_processes, own_device
    from smle.training.run import STAGES as ALL_STAGES
    from smle.training.run import train as train_model
    from smle_cli.consoles import message_console, show_log
    from smle_cli.interrupts import stop_if_asked
    from smle_cli.training_progress import TrainingProgress

    material = Material(
        speech=speech or _inside(corpus, "speech"),
        noise=noise or _inside(corpus, "noise"),
        rooms=rooms or (_rooms(corpus) if corpus else None),
        cache=cache,
    )
    show_log(quiet=quiet, verbose=False)
    device = _device(device)
    join_processes(own_device(device))
    tells = is_main_process()
    with ExitStack() as stack:
        watches: list[Watch] = []
        if tells and not quiet:
            watches.append(stack.enter_context(TrainingProgress(message_console())))
        if tells and log:
            from smle.training.log import TensorBoardLog

            watches.append(TensorBoardLog(log))

        def watch(progress: Progress) -> None:
            stop_if_asked()
            for each in watches:
                each(progress)

        folder = train_model(
            recipe,
            material,
            out,
            stages=tuple(stage for stage in ALL_STAGES if "all" in stages or stage in stages),
            resume=resume,
            start_from=start_from,
            device=device,
            watch=watch,
        )
    if tells:
        click.echo(folder)


def _inside(corpus: Path | None, name: str) -> Path:
    if corpus is None:
        raise click.UsageError(f"no {name} to train on; give CORPUS, or --{name}")
    train = corpus / name / "train"
    return train if train.is_dir() else corpus / name


def _rooms(corpus: Path) -> Path | None:
    found = [_inside(corpus, name) for name in ("rooms", "rir") if (corpus / name).is_dir()]
    return found[0] if found else None


def _device(name: str) -> str:
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        # To numbers and back: some devices hold none.
        torch.zeros(1, device=name).tolist()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise click.UsageError(f"--device {name} cannot be used ({reason}); use cpu") from None
    return name
