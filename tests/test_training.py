from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
from click.testing import CliRunner
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from smle.errors import CorpusError, ModelError, RecipeError
from smle.evaluation.metrics import si_sdr_db
from smle.material.clusters import Clusters, write_clusters
from smle.material.dataset import Batch, MixtureDataset
from smle.model.recipe import StageConfig, read_recipe
from smle.tensors.checkpoint import load_model
from smle.training import distributed
from smle.training.data import Material, TrainingData
from smle.training.distributed import check_shares, own_device
from smle.training.losses import EnhancementLoss, si_sdr_loss
from smle.training.run import train
from smle.training.stage import Objective, Progress, run_stage
from smle_cli.train_command import train as train_command

RATE = 16_000
RECIPE = """
format = 1
name = "toy"
specialists = ["low", "high"]
generalist = true
[network]
hidden_size = 6
layers = 1
[gate]
hidden_size = 4
[clusters]
by = "snr"
levels_db = [0, 10]
[mixing]
segment_s = 0.5
babble = 0.0
[training.generalist]
steps = 12
batch_size = 4
validate_every_steps = 4
optimiser = "muon"
[training.specialists]
steps = 6
batch_size = 4
validate_every_steps = 3
[training.gate]
steps = 6
batch_size = 4
validate_every_steps = 3
[training.finetune]
steps = 6
batch_size = 4
validate_every_steps = 3
"""


@pytest.fixture(scope="module")
def material(tmp_path_factory) -> Material:
    """Forty tones that come and go for speech, forty hisses for noise."""
    root = tmp_path_factory.mktemp("material")
    rng = np.random.default_rng(0)
    time_s = np.arange(RATE) / RATE
    for kind in ("speech", "noise"):
        (root / kind).mkdir()
    for index in range(40):
        pitch = rng.uniform(100, 400)
        tone = np.sin(2 * np.pi * pitch * time_s) * (np.sin(2 * np.pi * 3 * time_s) > 0)
        sf.write(root / "speech" / f"{index}.wav", 0.3 * tone, RATE)
        sf.write(root / "noise" / f"{index}.wav", 0.1 * rng.standard_normal(RATE), RATE)
    return Material(root / "speech", root / "noise")


def run(folder: Path, material: Material, text: str = RECIPE, **options: object) -> Path:
    folder.mkdir(exist_ok=True)
    recipe = folder.parent / f"{folder.name}.toml"
    recipe.write_text(text)
    return train(recipe, material, folder, **options)  # type: ignore[arg-type]


def weights(model: Path) -> dict[str, torch.Tensor]:
    return load_file(model / "model.safetensors")


def read_metadata(model: Path) -> dict[str, str]:
    with safe_open(model / "model.safetensors", framework="pt") as file:
        return file.metadata()


class KilledError(Exception):
    pass


@pytest.fixture(scope="module")
def whole(tmp_path_factory, material) -> dict[str, torch.Tensor]:
    """Weights of a training that nobody interrupted."""
    return weights(run(tmp_path_factory.mktemp("trained") / "whole", material))


@pytest.mark.parametrize("stop_at", [6, 14, 29])
def test_a_resumed_training_ends_as_an_uninterrupted_one(tmp_path, material, whole, stop_at):
    updates = 0

    def stop(_: Progress) -> None:
        nonlocal updates
        updates += 1
        if updates == stop_at:
            raise KilledError

    with pytest.raises(KilledError):
        run(tmp_path / "cut", material, watch=stop)
    resumed = weights(run(tmp_path / "cut", material, resume=True))
    assert whole.keys() == resumed.keys()
    for name, weight in whole.items():
        torch.testing.assert_close(resumed[name], weight, atol=1e-5, rtol=1e-4)


def test_a_stage_is_made_anew_if_one_before_it_has_changed_the_weights(tmp_path, material):
    run(tmp_path / "run", material, stages=("finetune",))
    early = weights(tmp_path / "run" / "model")
    stages = ("generalist", "specialists", "gate")
    trained = weights(run(tmp_path / "run", material, stages=stages, resume=True))
    assert not list((tmp_path / "run" / "checkpoints").glob("finetune*"))
    final = weights(run(tmp_path / "run", material, resume=True))
    for name in ("specialists.0.output.bias", "specialists.1.output.bias"):
        assert torch.dist(final[name], trained[name]) < torch.dist(final[name], early[name])


def test_a_stage_that_is_over_takes_nothing_back_from_later_ones(tmp_path, material):
    final = weights(run(tmp_path / "run", material))
    early = (("generalist",), ("generalist", "specialists", "gate"), ("specialists", "polish"))
    for stages in early:  # where this recipe has no polish
        again = weights(run(tmp_path / "run", material, stages=stages, resume=True))
        assert all(torch.equal(again[name], weight) for name, weight in final.items())
    (tmp_path / "run" / "model" / "model.safetensors").unlink()
    again = weights(run(tmp_path / "run", material, resume=True))
    for name, weight in final.items():
        torch.testing.assert_close(again[name], weight, atol=1e-6, rtol=1e-5)


def test_an_interrupt_while_batches_end_is_heard(tmp_path):
    def batches(step: int) -> Generator[Batch]:
        try:
            yield None  # type: ignore[misc]
        finally:
            raise KeyboardInterrupt

    module = torch.nn.Linear(1, 1)
    objective = Objective(
        "one",
        module,
        lambda module, batch, step: (module(torch.ones(1, 1)).sum(), {}),
        batches,
        lambda module: 0.0,
    )
    with pytest.raises(KeyboardInterrupt):
        run_stage(
            objective,
            StageConfig(steps=1),
            1.0,
            tmp_path,
            resume=False,
            watch=lambda _: None,
        )


def test_a_stage_without_steps_makes_no_model_of_chance(tmp_path, material):
    with pytest.raises(ModelError, match="no steps for polish"):
        run(tmp_path / "run", material, stages=("polish",))
    assert not (tmp_path / "run" / "model").exists()


def test_damaged_notes_of_a_run_are_said_in_one_line(tmp_path, material):
    run(tmp_path / "run", material, stages=("generalist",))
    notes = tmp_path / "run" / "checkpoints" / "clusters.json"
    notes.write_bytes(notes.read_bytes()[:-3])
    with pytest.raises(ModelError, match=r"clusters\.json is damaged"):
        run(tmp_path / "run", material, stages=("gate",), resume=True)


def test_a_run_stopped_at_once_remembers_what_it_began_with(tmp_path, material):
    start = run(tmp_path / "start", material, stages=("generalist",))

    def stop(_: Progress) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        run(tmp_path / "cut", material, stages=("gate",), start_from=start, watch=stop)
    cut = weights(run(tmp_path / "cut", material, stages=("gate",), resume=True))
    whole = run(tmp_path / "whole", material, stages=("gate",), start_from=start)
    for name, weight in weights(whole).items():
        torch.testing.assert_close(cut[name], weight, atol=1e-6, rtol=1e-5)


def test_every_stage_changes_what_it_trains_and_nothing_else(tmp_path, material):
    seen: dict[str, dict[str, torch.Tensor]] = {}
    for stage in ("generalist", "specialists", "gate", "finetune"):
        seen[stage] = weights(run(tmp_path / "run", material, stages=(stage,), resume=True))

    def changed(before: str, after: str) -> set[str]:
        names = (n for n, w in seen[before].items() if not torch.equal(w, seen[after][n]))
        return {name.split(".")[0] for name in names}

    assert changed("generalist", "specialists") == {"specialists"}
    assert changed("specialists", "gate") == {"gate"}
    assert changed("gate", "finetune") == {"gate", "specialists"}


def test_polishing_trains_all_networks_and_not_the_gate(tmp_path, material):
    pytest.importorskip("onnx")
    pytest.importorskip("speechmos")
    polish = "[training.polish]\nsteps = 4\nbatch_size = 2\nvalidate_every_steps = 4\n"
    text = RECIPE.replace("[training.generalist]", f"{polish}[training.generalist]")
    before = weights(run(tmp_path / "run", material, text, stages=("generalist", "gate")))
    after = weights(run(tmp_path / "run", material, text, stages=("polish",), resume=True))
    changed = {name for name, weight in before.items() if not torch.equal(weight, after[name])}
    assert {name.split(".")[0] for name in changed} == {"generalist", "specialists"}


def test_polishing_gives_every_network_as_many_mixtures(tmp_path, material, monkeypatch):
    """The generalist gets a batch, the specialists together one for each of them."""
    pytest.importorskip("onnx")
    pytest.importorskip("speechmos")
    sizes = []
    batch = MixtureDataset.batch

    def counted(self: MixtureDataset, step: int, size: int, *rest: int) -> Batch:
        sizes.append(size)
        return batch(self, step, size, *rest)

    monkeypatch.setattr(MixtureDataset, "batch", counted)
    polish = "[training.polish]\nsteps = 2\nbatch_size = 3\nvalidate_every_steps = 2\n"
    text = RECIPE.replace("[training.generalist]", f"{polish}[training.generalist]")
    run(tmp_path / "run", material, text, stages=("polish",))
    assert list(dict.fromkeys(sizes)) == [3, 6]


@pytest.mark.parametrize("package", ["onnx", "speechmos"])
def test_a_package_that_polishing_lacks_shows_before_anything_is_trained(
    tmp_path, material, monkeypatch, package
):
    missing = {package: None}
    monkeypatch.setattr("smle.training.rating_network.find_spec", lambda n: missing.get(n, n))
    text = RECIPE.replace(
        "[training.generalist]", "[training.polish]\nsteps = 4\n[training.generalist]"
    )
    with pytest.raises(ModelError, match=f"needs the package {package}; pip install"):
        run(tmp_path / "run", material, text)
    assert not list((tmp_path / "run").iterdir())


@pytest.mark.parametrize("decay", [0.0, 0.5, 1.0])
def test_polished_networks_keep_their_share_of_themselves(tmp_path, material, decay):
    pytest.importorskip("onnx")
    pytest.importorskip("speechmos")
    polish = f"[training.polish]\nsteps = 4\ndecay = {decay}\nbatch_size = 2\nshare = 0.25\n"
    text = RECIPE.replace("[training.generalist]", f"{polish}[training.generalist]")
    plain = text.replace("share = 0.25", "share = 1.0")
    before = weights(run(tmp_path / "run", material, text, stages=("generalist", "gate")))
    run(tmp_path / "plain", material, plain, stages=("generalist", "gate"))
    polished = weights(run(tmp_path / "plain", material, plain, stages=("polish",), resume=True))
    for _ in range(2):  # a stage that is over and is asked for again changes nothing
        after = weights(run(tmp_path / "run", material, text, stages=("polish",), resume=True))
        for name, weight in after.items():
            expected = 0.75 * before[name] + 0.25 * polished[name]
            torch.testing.assert_close(weight, expected, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("decay", [0.5, 1.0])
def test_specialists_may_take_over_what_the_generalist_was_polished_by(tmp_path, material, decay):
    pytest.importorskip("onnx")
    pytest.importorskip("speechmos")
    polish = (
        f"[training.polish]\nsteps = 4\ndecay = {decay}\nbatch_size = 2\n"
        'specialists = "shared"\nshare = 0.25\n'
    )
    start = '[training]\nspecialists_start = "generalist"\n'
    text = RECIPE.replace("[training.generalist]", f"{start}{polish}[training.generalist]")
    first = ("generalist", "specialists", "gate")
    before = weights(run(tmp_path / "run", material, text, stages=first))
    for _ in range(2):  # a stage that is over and is asked for again changes nothing
        after = weights(run(tmp_path / "run", material, text, stages=("polish",), resume=True))
        changes = {name: weight - before[name] for name, weight in after.items()}
        for name, change in changes.items():
            part, _, rest = name.partition(".")
            if part == "specialists":
                common = changes[f"generalist.{rest.partition('.')[2]}"]
                torch.testing.assert_close(change, common, atol=1e-6, rtol=1e-4)
        assert any(change.any() for change in changes.values())


def test_a_resumed_polish_knows_what_was_there_before(tmp_path, material):
    """Stopped after its rate began to fall, before there was a checkpoint."""
    pytest.importorskip("onnx")
    pytest.importorskip("speechmos")
    polish = "[training.polish]\nsteps = 4\ndecay = 0.5\nbatch_size = 2\nshare = 0.25\n"
    text = RECIPE.replace("[training.generalist]", f"{polish}[training.generalist]")

    def stop(progress: Progress) -> None:
        if progress.step == 3:
            raise KilledError

    whole = weights(run(tmp_path / "whole", material, text, stages=("polish",)))
    with pytest.raises(KilledError):
        run(tmp_path / "cut", material, text, stages=("polish",), watch=stop)
    cut = weights(run(tmp_path / "cut", material, text, stages=("polish",), resume=True))
    for name, weight in whole.items():
        torch.testing.assert_close(cut[name], weight, atol=1e-6, rtol=1e-5)


def test_specialists_branch_off_where_the_generalist_began_to_settle(tmp_path, material):
    """Of no steps of their own, and so with the very weights of the trunk."""
    text = RECIPE.replace("[training.generalist]\n", "[training.generalist]\ndecay = 0.5\n")
    half = text.replace("steps = 12", "steps = 6").replace("decay = 0.5", "decay = 0.0")
    half = half.replace("[training.generalist]\n", "[training.generalist]\naverage = 0.0\n")
    half = half.replace("validate_every_steps = 4", "validate_every_steps = 6")
    run(tmp_path / "half", material, half, stages=("generalist",))
    text = "[training]\nspecialists_start = 'trunk'\n[training.generalist]".join(
        text.split("[training.generalist]")
    )
    still = text.replace("steps = 6\n", "steps = 1\nlearning_rate = 0.0\n")
    run(tmp_path / "branched", material, still, stages=("generalist", "specialists"))
    trunk = load_model(tmp_path / "half" / "model").generalist
    model = load_model(tmp_path / "branched" / "model")
    for branch in model.specialists:
        for name, weights in branch.state_dict().items():
            assert torch.equal(weights, trunk.state_dict()[name])
    assert not torch.equal(model.generalist.output.weight, trunk.output.weight)


def test_specialists_branch_off_the_end_where_the_rate_never_falls(tmp_path, material):
    start = "[training]\nspecialists_start = 'trunk'\n[training.generalist]\n"
    text = RECIPE.replace("[training.generalist]\n", f"{start}decay = 0.0\naverage = 0.0\n")
    text = text.replace("validate_every_steps = 4", "validate_every_steps = 12")
    text = text.replace("steps = 6\n", "steps = 1\nlearning_rate = 0.0\n")
    model = load_model(run(tmp_path / "run", material, text, stages=("generalist", "specialists")))
    for branch in model.specialists:
        for name, weight in branch.state_dict().items():
            assert torch.equal(weight, model.generalist.state_dict()[name])


def test_branching_off_needs_the_trunk(tmp_path, material):
    text = RECIPE.replace(
        "[training.generalist]", "[training]\nspecialists_start = 'trunk'\n[training.generalist]"
    )
    with pytest.raises(ModelError, match="train the generalist first"):
        run(tmp_path / "run", material, text, stages=("specialists",))


def test_specialists_end_as_their_share_of_themselves_and_the_generalist(tmp_path, material):
    text = RECIPE.replace(
        "[training.generalist]", "[training]\nspecialists_share = 0.25\n[training.generalist]"
    )
    alone = load_model(run(tmp_path / "alone", material, RECIPE))
    shared = load_model(run(tmp_path / "shared", material, text))
    again = load_model(run(tmp_path / "shared", material, text, resume=True))
    generalist = alone.generalist.state_dict()
    for own, mean, same in zip(
        alone.specialists, shared.specialists, again.specialists, strict=True
    ):
        for name, weight in own.state_dict().items():
            expected = 0.25 * weight + 0.75 * generalist[name]
            torch.testing.assert_close(mean.state_dict()[name], expected)
            assert torch.equal(same.state_dict()[name], mean.state_dict()[name])
    for name, weight in alone.gate.state_dict().items():
        assert torch.equal(shared.gate.state_dict()[name], weight)


def test_hard_finetuning_trains_the_specialist_that_the_gate_chooses_and_no_other(
    tmp_path, material
):
    text = RECIPE.replace("[training.finetune]", '[training.finetune]\nrouting = "hard"')
    text = text.replace("[gate]", "[gate]\nhears_expert = true")
    model = run(tmp_path / "run", material, text, stages=("generalist",))
    before = weights(model)
    before["gate.output.bias"] = torch.tensor([-50.0, 50.0])
    save_file(before, model / "model.safetensors", read_metadata(model))
    after = weights(run(tmp_path / "run", material, text, stages=("finetune",), resume=True))
    changed = {name for name, weight in before.items() if not torch.equal(weight, after[name])}
    assert {name[:14] for name in changed} == {"specialists.1."}


def test_the_best_weights_are_kept_not_the_last(tmp_path, material):
    # A rate that wrecks the network after the first validation.
    text = RECIPE.replace(
        "steps = 12\nbatch_size = 4", "steps = 60\nlearning_rate = 0.5\naverage = 0\nbatch_size = 4"
    )
    scores: list[float] = []

    def watch(progress: Progress) -> None:
        if progress.score is not None:
            scores.append(progress.score)

    model = run(tmp_path / "run", material, text, stages=("generalist",), watch=watch)
    assert scores.index(min(scores)) < len(scores) - 1
    kept = load_file(tmp_path / "run/checkpoints/generalist.safetensors")
    for name, weight in weights(model).items():
        if name.startswith("generalist"):
            assert torch.equal(kept[f"best/{name.removeprefix('generalist.')}"], weight)
    assert any(
        not torch.equal(weight, kept[name.replace("last/", "best/")])
        for name, weight in kept.items()
        if name.startswith("last/")
    )

    def stop(progress: Progress) -> None:
        if progress.step == 50:
            raise KilledError

    with pytest.raises(KilledError):
        run(tmp_path / "cut", material, text, stages=("generalist",), watch=stop)
    cut = weights(run(tmp_path / "cut", material, text, stages=("generalist",), resume=True))
    for name, weight in weights(model).items():
        torch.testing.assert_close(cut[name], weight, atol=1e-5, rtol=1e-4)


def test_patience_ends_a_stage_that_gets_no_better(tmp_path, material):
    still = "steps = 40\nlearning_rate = 0.0\npatience_steps = 4\nvalidate_every_steps = 2\n"
    text = RECIPE.replace("validate_every_steps = 4\noptimiser", "optimiser")
    seen: list[int] = []
    run(
        tmp_path / "run",
        material,
        text.replace("steps = 12\n", still),
        stages=("generalist",),
        watch=lambda progress: seen.append(progress.step),
    )
    assert seen[-1] == 6


def test_what_is_held_out_is_never_trained_on(tmp_path, material):
    recipe = tmp_path / "toy.toml"
    recipe.write_text(RECIPE)
    data = TrainingData(read_recipe(recipe), material, tmp_path)
    for kind, folder in enumerate((material.speech, material.noise)):
        trained, held_out = (
            {utterance.path for utterance in data._parts[part][kind].corpus.utterances}
            for part in (False, True)
        )
        assert not trained & held_out
        assert len(held_out) >= 1
        assert len(trained | held_out) == len(list(folder.iterdir()))


def test_a_stage_may_have_mixtures_of_its_own_noise_level(tmp_path, material):
    recipe = tmp_path / "toy.toml"
    recipe.write_text(RECIPE)
    data = TrainingData(read_recipe(recipe), material, tmp_path)
    for held_out in (False, True):
        batch = data.dataset(held_out=held_out, snr_db=(30.0, 31.0)).batch(0, 16)
        stated = batch.snr_db[batch.snr_db.isfinite()]
        assert len(stated)
        assert ((stated >= 30) & (stated <= 31)).all()


def test_training_lowers_the_loss(tmp_path, material):
    text = RECIPE.replace("steps = 12\n", "steps = 80\nlearning_rate = 1e-2\n")
    losses: list[float] = []
    run(
        tmp_path / "run",
        material,
        text,
        stages=("generalist",),
        watch=lambda p: losses.append(p.loss),
    )
    assert np.mean(losses[-20:]) < np.mean(losses[:20]) - 0.05


def test_two_processes_follow_the_loss_of_one(tmp_path, material):
    script = tmp_path / "share.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from smle.training.run import train; from smle.training.data import Material\n"
        "recipe, speech, noise, run = map(Path, sys.argv[1:])\n"
        "train(recipe, Material(speech, noise), run, stages=('generalist',),\n"
        "      watch=lambda p: p.score and print('score', p.step, p.score, flush=True))\n"
    )
    # So fast that the halves of a batch, each for itself, would lead elsewhere.
    text = RECIPE.replace("[mixing]", "[mixing]\nclean_only = 0.0")
    text = text.replace("steps = 12\n", "steps = 12\nlearning_rate = 1.0\naverage = 0.0\n")
    (tmp_path / "toy.toml").write_text(text)
    curves = []
    for processes in (1, 2):
        command = [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *(f"--nproc-per-node={processes}", str(script), str(tmp_path / "toy.toml")),
            *(str(material.speech), str(material.noise), str(tmp_path / f"run{processes}")),
        ]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=240, env=environment, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        found = re.findall(r"score (\d+) ([-\d.]+)", done.stdout)
        curves.append(sorted({(int(step), round(float(score), 4)) for step, score in found}))
    assert len(curves[0]) == 3
    assert abs(curves[0][0][1] - curves[0][-1][1]) > 0.1
    for (step, one), (same, two) in zip(*curves, strict=True):
        assert step == same
        assert two == pytest.approx(one, abs=2e-3)


def test_the_command_trains_logs_and_names_the_model(tmp_path, material):
    recipe = tmp_path / "toy.toml"
    recipe.write_text(RECIPE)
    corpus, run_folder = str(material.speech.parent), tmp_path / "run"
    arguments = [str(recipe), corpus, "-o", str(run_folder), "--log", str(tmp_path / "log")]
    result = CliRunner().invoke(train_command, [*arguments, "--stage", "gate"])
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(run_folder / "model")
    parts = ["--speech", str(material.speech), "--noise", str(material.noise)]
    arguments = [str(recipe), "-o", str(tmp_path / "again"), "--stage", "gate"]
    alone = CliRunner().invoke(train_command, [*arguments, *parts])
    assert alone.exit_code == 0, alone.output
    nothing = CliRunner().invoke(train_command, [*arguments, *parts[:2]])
    assert "no noise to train on; give CORPUS, or --noise" in nothing.output
    assert re.search(r"gate: step 6 of 6, loss .*validation .*steps/s", result.stderr)
    assert load_model(run_folder / "model").expert_names == ("low", "high", "generalist")
    assert any((tmp_path / "log").iterdir())


def test_a_run_is_not_overwritten_unasked(tmp_path, material):
    run(tmp_path / "run", material, stages=("gate",))
    with pytest.raises(ModelError, match="--resume"):
        run(tmp_path / "run", material, stages=("gate",))


def test_a_run_of_another_recipe_is_not_resumed(tmp_path, material):
    run(tmp_path / "run", material, stages=("gate",))
    with pytest.raises(ModelError, match="another recipe"):
        run(tmp_path / "run", material, RECIPE + "\n", stages=("gate",), resume=True)


def test_a_run_of_other_clusters_is_not_resumed(tmp_path, material):
    text = RECIPE.replace('by = "snr"\n', "").replace("levels_db = [0, 10]", 'file = "kinds.json"')
    of = {f"{index}.wav": index % 2 for index in range(40)}
    write_clusters(tmp_path / "kinds.json", [Clusters("loss", ("low", "high"), of)])
    for resume in (False, True):
        run(tmp_path / "run", material, text, stages=("generalist",), resume=resume)
    backwards = dict(reversed(of.items()))
    write_clusters(tmp_path / "kinds.json", [Clusters("loss", ("low", "high"), backwards)])
    run(tmp_path / "run", material, text, stages=("generalist",), resume=True)
    swapped = {name: 1 - cluster for name, cluster in of.items()}
    write_clusters(tmp_path / "kinds.json", [Clusters("loss", ("low", "high"), swapped)])
    with pytest.raises(ModelError, match="other clusters"):
        run(tmp_path / "run", material, text, resume=True)


def test_what_cannot_be_trained_claims_no_run(tmp_path, material):
    folder = tmp_path / "run"
    with pytest.raises(CorpusError):
        run(folder, Material(tmp_path / "typo", material.noise))
    with pytest.raises(RecipeError):
        run(folder, material, RECIPE.replace("[0, 10]", "[0, 5, 10]"))
    assert not list(folder.iterdir())
    run(folder, material, stages=("gate",))


def test_a_start_may_be_the_folder_of_a_training(tmp_path, material):
    run(tmp_path / "other", material, stages=("gate",))
    starts = (tmp_path / "other", tmp_path / "other" / "model", None)
    begun = [
        run(tmp_path / f"run{n}", material, stages=("gate",), start_from=start)
        for n, start in enumerate(starts)
    ]
    first, same, fresh = (weights(model)["gate.output.bias"] for model in begun)
    assert torch.equal(first, same)
    assert not torch.equal(first, fresh)


def test_specialists_do_not_begin_with_a_generalist_that_is_not_trained(tmp_path, material):
    with pytest.raises(ModelError, match="generalist, which is not trained"):
        run(tmp_path / "run", material, stages=("specialists", "gate"))
    assert not list((tmp_path / "run").iterdir())


def test_a_generalist_that_the_recipe_lacks_is_not_trained(tmp_path, material):
    without = RECIPE.replace("generalist = true\n", "")
    with pytest.raises(ModelError, match="no generalist to train"):
        run(tmp_path / "run", material, without, stages=("generalist",))
    assert not list((tmp_path / "run").iterdir())


def test_a_start_of_other_shapes_is_refused(tmp_path, material):
    other = run(tmp_path / "other", material, RECIPE.replace("= 6\nl", "= 5\nl"), stages=("gate",))
    with pytest.raises(ModelError, match="other networks"):
        run(tmp_path / "run", material, start_from=other)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("steps = 12", "steps = -3", "training.generalist.steps is -3"),
        ("steps = 12", "steps = 12\ndecay = 2.5", "decay is 2.5"),
        ("steps = 12", "steps = 12\naverage = 1", "average is 1"),
        ("steps = 12", "steps = 12\nlearning_rate = -1.0", "learning_rate is -1"),
        ("steps = 12\nbatch_size = 4", "steps = 12\nbatch_size = 0", "batch_size is 0"),
        ("steps = 12", "steps = 12\nsnr_db = [9, 3]", "generalist.snr_db is 9.0"),
        ("steps = 12", "steps = 12\nsnr_db = [9, 300]", "generalist.snr_db is 300.0"),
        ("validate_every_steps = 4", "validate_every_steps = 0", "validate_every_steps is 0"),
        ("[training.gate]", "[training]\nseed = -1\n[training.gate]", "training.seed is -1"),
        ("[training.gate]", "[training]\nclip_norm = 0\n[training.gate]", "clip_norm is 0"),
        ('"low", "high"', '"low", "file"', "is named 'file'"),
        ("segment_s = 0.5", "segment_s = 0.5\nsnr_db = [-7000, 9]", "mixing.snr_db is -7000"),
        ("segment_s = 0.5", "segment_s = 0.5\nequalise_db = 1e6", "mixing.equalise_db is 1000000"),
        ("segment_s = 0.5", "segment_s = 0.5\nspeed_range = [0.0, 1.0]", "mixing.speed_range is 0"),
        ('by = "snr"\nlevels_db = [0, 10]', 'by = "speaker"', "without a file"),
        ("[0, 10]", '["x", 10]', "clusters.levels_db is ['x', 10]"),
        ("segment_s = 0.5", "segment_s = 0.5\nequalise_db = 1" + 400 * "0", "equalise_db is inf"),
        (
            "generalist = true",
            'generalist = false\n[training]\nspecialists_start = "trunk"',
            "no generalist to branch off",
        ),
        (
            "[mixing]\nsegment_s = 0.5",
            "[spectral]\nsample_rate = 4000\n[mixing]\nsegment_s = 0.1",
            "mixing.segment_s is 0.1 at 4000 Hz",
        ),
    ],
)
def test_a_stage_that_makes_no_sense_is_refused(tmp_path, material, old, new, complaint):
    with pytest.raises(RecipeError, match=re.escape(complaint)):
        run(tmp_path / "run", material, RECIPE.replace(old, new))


def test_a_misspelt_key_of_the_clusters_is_refused(tmp_path, material):
    with pytest.raises(RecipeError, match="no key 'levels'"):
        run(tmp_path / "run", material, RECIPE.replace("levels_db", "levels"))


def test_levels_stand_in_the_recipe_where_the_model_can_read_them(tmp_path, material):
    write_clusters(tmp_path / "levels.json", [Clusters("snr", ("a", "b"), levels_db=(0.0, 10.0))])
    text = RECIPE.replace("levels_db = [0, 10]", 'file = "levels.json"')
    with pytest.raises(RecipeError, match=re.escape('write by = "snr" and levels_db = [0.0, 10')):
        run(tmp_path / "run", material, text)


def test_the_recipe_and_its_clusters_say_the_same(tmp_path, material):
    write_clusters(tmp_path / "kinds.json", [Clusters("gender", ("b", "a"), {})])
    text = RECIPE.replace('by = "snr"\n', "").replace("levels_db = [0, 10]", 'file = "kinds.json"')
    with pytest.raises(RecipeError, match=re.escape("write specialists = ['b', 'a']")):
        run(tmp_path / "run", material, text.replace('["low", "high"]', '["a", "b"]'))
    told = text.replace("file =", 'by = "noise"\nfile =')
    with pytest.raises(RecipeError, match=r"by is 'noise', but .* is by gender"):
        run(tmp_path / "run", material, told)


def test_processes_share_batches_evenly_and_each_has_a_gpu(monkeypatch):
    monkeypatch.setattr(distributed.dist, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed.dist, "get_world_size", lambda: 3)
    check_shares(6, "gate")
    with pytest.raises(ModelError, match="3 processes cannot share the 8 mixtures"):
        check_shares(8, "gate")
    monkeypatch.setenv("LOCAL_RANK", "2")
    assert str(own_device("cuda")) == "cuda:2"
    assert str(own_device("cuda:0")) == "cuda:0"
    assert str(own_device("cpu")) == "cpu"


def test_a_silent_room_is_refused(tmp_path, material):
    (tmp_path / "rooms").mkdir()
    sf.write(tmp_path / "rooms" / "void.wav", np.zeros(800), RATE)
    rooms = Material(material.speech, material.noise, tmp_path / "rooms")
    with pytest.raises(CorpusError, match=r"void.wav: is silent"):
        run(tmp_path / "run", rooms)


def test_levels_must_rise(tmp_path, material):
    with pytest.raises(CorpusError, match="each above the last"):
        run(tmp_path / "run", material, RECIPE.replace("[0, 10]", "[10, 0]"))


def test_a_device_that_is_not_there_is_named(tmp_path, material):
    recipe, corpus, folder = tmp_path / "toy.toml", material.speech.parent, tmp_path / "run"
    recipe.write_text(RECIPE)
    arguments = list(map(str, (recipe, corpus, "-o", folder, "--device")))
    for device in ("abacus", "meta"):
        result = CliRunner().invoke(train_command, [*arguments, device])
        assert result.exit_code == 2
        assert f"--device {device} cannot be used" in result.output


def test_a_broken_checkpoint_is_refused(tmp_path, material):
    run(tmp_path / "run", material, stages=("gate",))
    checkpoints = tmp_path / "run" / "checkpoints"
    for content in (b"no", (checkpoints / "gate-trunk.safetensors").read_bytes()):
        (checkpoints / "gate.safetensors").write_bytes(content)
        with pytest.raises(ModelError, match="cannot be resumed"):
            run(tmp_path / "run", material, stages=("gate",), resume=True)


def test_processes_that_nobody_joined_are_told_of(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ModelError, match="start them with torchrun"):
        distributed.join_processes(torch.device("cpu"))


def test_levels_and_specialists_must_match(tmp_path, material):
    with pytest.raises(RecipeError, match="3 levels for 2 specialists"):
        run(tmp_path / "run", material, RECIPE.replace("[0, 10]", "[0, 5, 10]"))


def test_too_little_material_is_refused_before_training(tmp_path, material):
    few = tmp_path / "few"
    few.mkdir()
    sf.write(few / "one.wav", np.zeros(RATE), RATE)
    with pytest.raises(CorpusError, match="1 files"):
        run(tmp_path / "run", Material(few, material.noise))


@pytest.mark.parametrize(
    ("speakers", "complaint"),
    [
        ({"elsewhere": 0, "nowhere": 1}, "'low': no speech .* belongs to the cluster"),
        ({"many": 0, "one": 1}, "'high' has nothing to be validated on"),
    ],
)
def test_a_cluster_without_material_is_refused_before_training(
    tmp_path, material, speakers, complaint
):
    for speaker, takes in {"many": 30, "one": 1}.items():
        (tmp_path / "speech" / speaker).mkdir(parents=True)
        for take in range(takes):
            sf.write(tmp_path / "speech" / speaker / f"{take}.wav", np.full(RATE, 0.1), RATE)
    grouping = Clusters("speaker", ("low", "high"), speakers)
    write_clusters(tmp_path / "clusters.json", [grouping])
    text = RECIPE.replace('by = "snr"\nlevels_db = [0, 10]', 'file = "clusters.json"')
    with pytest.raises(CorpusError, match=complaint):
        run(tmp_path / "run", Material(tmp_path / "speech", material.noise), text)
    assert not list((tmp_path / "run").glob("checkpoints/*"))


def test_recordings_of_no_cluster_are_told_of(tmp_path, material, caplog):
    for speaker in ("one", "two", "new"):
        (tmp_path / "speech" / speaker).mkdir(parents=True)
        for take in range(20):
            sf.write(tmp_path / "speech" / speaker / f"{take}.wav", np.full(RATE, 0.1), RATE)
    grouping = Clusters("speaker", ("low", "high"), {"one": 0, "two": 1})
    write_clusters(tmp_path / "clusters.json", [grouping])
    text = RECIPE.replace('by = "snr"\nlevels_db = [0, 10]', 'file = "clusters.json"')
    (tmp_path / "recipe.toml").write_text(text)
    data = TrainingData(
        read_recipe(tmp_path / "recipe.toml"),
        Material(tmp_path / "speech", material.noise),
        tmp_path,
    )
    data.check_clusters()
    assert "19 of 57 recordings" in caplog.text


def test_the_loss_of_training_is_the_reported_si_sdr():
    rng = np.random.default_rng(1)
    clean = rng.standard_normal(8000).astype(np.float32)
    clean -= clean.mean()
    estimate = clean + 0.5 * rng.standard_normal(8000).astype(np.float32)
    loss = si_sdr_loss(torch.from_numpy(estimate)[None], torch.from_numpy(clean)[None])
    assert -float(loss) == pytest.approx(si_sdr_db(estimate, clean, zero_mean=False), abs=0.05)


def test_the_spectral_terms_are_those_of_torchs_own_transform_and_powers():
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, 2, 4000, generator=generator)

    def transform(signal, n_fft):
        window = torch.hann_window(n_fft)
        return torch.stft(signal, n_fft, n_fft // 2, window=window, return_complex=True).mT

    def distance(one, other, measure):
        return (measure(one) - measure(other)).abs().square().mean((1, 2))

    def magnitude(spectrum):
        return (spectrum.abs().square() + 1e-8) ** 0.15

    def value(spectrum):
        return torch.polar(magnitude(spectrum), spectrum.angle())

    estimate, level = clean + 0.5 * noise, torch.tensor([1.0, 2.0])
    spectra = transform(estimate, 512), transform(clean, 512)
    whole, by_wave = (
        EnhancementLoss(kind)(estimate, clean, *spectra, level)
        for kind in ("si-sdr+spectral", "si-sdr")
    )
    one, other = (s / (8 * level[:, None, None]) for s in spectra)
    expected = 0.01 * by_wave + 3 * distance(one, other, magnitude) + distance(one, other, value)
    for n_fft in (128, 1024):
        unit = torch.hann_window(n_fft).square().sum().sqrt() * level[:, None, None]
        one, other = (transform(signal, n_fft) / unit for signal in (estimate, clean))
        expected += 3 * distance(one, other, magnitude)
    torch.testing.assert_close(whole, expected)


def test_noise_left_in_a_pause_costs_though_si_sdr_does_not_hear_it():
    loss = EnhancementLoss("si-sdr+spectral")
    clean = torch.zeros(1, 4000)
    spectrum = torch.zeros(1, 10, 257, dtype=torch.complex64)
    silent = loss(clean, clean, spectrum, spectrum, torch.ones(1))
    hissing = loss(clean + 0.1, clean, spectrum + 0.5, spectrum, torch.ones(1))
    assert float(hissing) > float(silent) == 0.0
