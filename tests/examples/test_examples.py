"""Every example runs without audio of its own, and does what it says."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pedalboard import HighpassFilter
from pedalboard.io import AudioFile

from smle.model.recipe import parse_recipe
from smle.tensors.checkpoint import save_model
from smle.tensors.mixture import Mixture
from smle_pedalboard import Board, SparseExpertEnhancer

Example = Callable[[str], ModuleType]

RECIPE = """
format = 1
name = "random"
specialists = ["low", "high"]
generalist = true
[network]
kind = "recurrent"
hidden_size = 16
[gate]
hidden_size = 8
[routing]
margin = 0.0
"""


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("random")
    torch.manual_seed(0)
    save_model(Mixture(parse_recipe(tomllib.loads(RECIPE))), RECIPE, folder)
    return folder


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Example:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "examples")
    return importlib.import_module


def read(path: Path) -> tuple[NDArray[np.float32], int]:
    with AudioFile(str(path)) as file:
        return file.read(file.frames), int(file.samplerate)


def test_the_chain_reaches_the_loudness_and_keeps_the_ceiling(
    example: Example, model_folder: Path, tmp_path: Path
) -> None:
    clean = tmp_path / "clean.wav"
    made = str(example("recording").made_up(tmp_path / "made.wav"))
    example("chain_on_a_file").main([made, str(clean), "--model", str(model_folder)])
    audio, rate = read(clean)
    assert audio.shape == read(tmp_path / "made.wav")[0].shape
    assert np.abs(audio).max() <= 10 ** (-1.5 / 20) + 1e-6
    assert example("loudness").integrated_loudness(audio, rate) == pytest.approx(-16, abs=1.0)


def test_silence_is_neither_amplified_nor_compared(
    example: Example, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quiet, clean = str(tmp_path / "quiet.wav"), tmp_path / "clean.wav"
    with AudioFile(quiet, "w", 48_000, 1, bit_depth=32) as file:
        file.write(1e-6 * np.random.default_rng(0).standard_normal((1, 48_000)))
    example("chain_on_a_file").main([quiet, str(clean), "--model", str(model_folder)])
    assert np.abs(read(clean)[0]).max() < 1e-5
    models = ["--a", str(model_folder), "--b", str(model_folder)]
    example("compare_models").main([quiet, "--out", str(tmp_path), *models])
    assert "b was +0.0 dB louder" in capsys.readouterr().out


def test_loudness_is_that_of_the_standard(example: Example) -> None:
    """BS.1770: a full-scale 997 Hz sine in one channel reads -3.01, in two channels 0.0 LUFS."""
    loudness = example("loudness").integrated_loudness
    for rate in (44_100, 48_000, 96_000):
        sine = np.sin(2 * np.pi * 997 * np.arange(3 * rate) / rate)[None]
        assert loudness(sine, rate) == pytest.approx(-3.01, abs=0.02)
        assert loudness(np.repeat(sine, 2, axis=0), rate) == pytest.approx(0.0, abs=0.02)
        half = np.concatenate([sine, np.zeros_like(sine)], axis=1)
        assert loudness(half, rate) == pytest.approx(-3.01, abs=0.3)
    assert loudness(np.zeros((1, 48_000)), 48_000) == -np.inf


@pytest.mark.parametrize("rate", [None, 16_000])
def test_a_podcast_in_chunks_equals_the_files_as_a_whole(
    example: Example, model_folder: Path, tmp_path: Path, rate: int | None
) -> None:
    batch = example("podcast_batch")
    batch.CHUNK_S = 1
    options = ["--model", str(model_folder)] + (["--sample-rate", str(rate)] if rate else [])
    folder = tmp_path / "noisy"
    recording = example("recording")
    recording.made_up(folder / "guest.wav", seconds=2.5, sample_rate=44_100)
    recording.made_up(folder / "host.wav", seconds=2.0)
    batch.main([str(folder), str(tmp_path / "clean"), *options])
    for name in ("guest.wav", "host.wav"):
        with AudioFile(str(folder / name)) as file:
            resampled = file.resampled_to(rate or file.samplerate)
            noisy, file_rate = resampled.read(resampled.frames), resampled.samplerate
        clean, clean_rate = read(tmp_path / "clean" / f"{name}.wav")
        assert clean_rate == file_rate
        board = Board([HighpassFilter(70), SparseExpertEnhancer(model_folder), None])
        expected = board(noisy, file_rate)
        # The gate at the end of the chain may close, and 24 bits round.
        assert clean.shape == expected.shape
        loud = np.abs(expected) > 0.1
        np.testing.assert_allclose(clean[loud], expected[loud], atol=1e-5)


@pytest.mark.parametrize("seconds", [0.02, 1.0])
def test_a_live_loop_gives_the_whole_file(
    example: Example, model_folder: Path, tmp_path: Path, seconds: float
) -> None:
    made = example("recording").made_up(tmp_path / "made.wav", seconds=seconds)
    clean = tmp_path / "clean.wav"
    example("live_loop").main([str(made), str(clean), "--model", str(model_folder)])
    board = Board([HighpassFilter(70), SparseExpertEnhancer(model_folder)])
    np.testing.assert_allclose(read(clean)[0], board(*read(made)), atol=1e-4)


def test_a_microphone_is_read_and_played_block_by_block(
    example: Example, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, played = example("live_loop"), []

    class Stream:
        default_input_device_name = default_output_device_name = "device"
        sample_rate, blocks = 44_100.0, 100

        def __init__(self, *names: str, **channels: int) -> None:
            assert names == ("device", "device")

        def __enter__(self) -> Stream:
            return self

        def __exit__(self, *_: object) -> None: ...

        def read(self, count: int) -> NDArray[np.float32]:
            self.blocks -= 1
            return np.full((1, count if self.blocks >= 0 else 0), 0.1, np.float32)

        def write(self, audio: NDArray[np.float32], sample_rate: float) -> None:
            assert sample_rate == 44_100.0
            played.append(audio.shape[1])

    monkeypatch.setattr(live, "AudioStream", Stream)
    live.main(["--microphone", "--model", str(model_folder)])
    assert sum(played) == 100 * 441
    assert max(played[:100]) == 441

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as ctrl_c:
        ctrl_c.setattr(Stream, "read", interrupted)
        live.main(["--microphone", "--model", str(model_folder)])
    monkeypatch.setattr(Stream, "default_input_device_name", None)
    with pytest.raises(SystemExit, match="no microphone"):
        live.main(["--microphone", "--model", str(model_folder)])


def test_automation_moves_what_is_heard(
    example: Example, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean = tmp_path / "clean.wav"
    example("automation").main(
        [*_made(example, tmp_path), str(clean), "--model", str(model_folder)]
    )
    noisy, estimate = read(tmp_path / "made.wav")[0], read(clean)[0]
    assert estimate.shape == noisy.shape
    np.testing.assert_allclose(estimate[:, :400], noisy[:, :400], atol=2e-3)
    assert np.abs(estimate - noisy)[:, -4000:].max() > 0.02
    assert capsys.readouterr().out.strip().endswith("> low")


def test_two_models_take_turns(example: Example, model_folder: Path, tmp_path: Path) -> None:
    models = ["--a", str(model_folder), "--b", str(model_folder)]
    compare = example("compare_models")
    compare.main([*_made(example, tmp_path), "--out", str(tmp_path), *models])
    a, b, turns = (read(tmp_path / f"{name}.wav")[0] for name in ("a", "b", "turns"))
    np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(turns, a, atol=1e-4)
    ones, zeros = np.ones((1, 300_000), np.float32), np.zeros((1, 300_000), np.float32)
    share = compare.take_turns(ones, zeros, 48_000)[0]
    assert share[[0, 95_000, 97_000, 191_000, 193_000]].tolist() == [1, 1, 0, 0, 1]
    assert np.abs(np.diff(share)).max() < 1.01 / (0.02 * 48_000)


def test_the_picture_of_the_routing_is_drawn(
    example: Example, model_folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "routing.png"
    example("draw_routing").main(
        [*_made(example, tmp_path), str(picture), "--model", str(model_folder)]
    )
    from matplotlib import image

    pixels = image.imread(picture)
    assert pixels.shape[:2] == (770, 1100)
    assert pixels.std() > 0.1


@pytest.mark.parametrize(
    "name", ["chain_on_a_file", "podcast_batch", "live_loop", "automation", "draw_routing"]
)
def test_examples_make_up_a_recording_where_none_is_given(
    example: Example,
    model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    if name == "draw_routing":
        pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    example(name).main(["--model", str(model_folder)])
    assert len([path for path in tmp_path.rglob("*.*") if path.stat().st_size > 1000]) >= 2


def _made(example: Example, folder: Path) -> list[str]:
    return [str(example("recording").made_up(folder / "made.wav", seconds=2.5))]


@pytest.mark.parametrize("name", ["chain_on_a_file", "compare_models", "draw_routing"])
def test_a_recording_without_samples_gets_one_line(
    example: Example, name: str, tmp_path: Path
) -> None:
    with AudioFile(str(tmp_path / "empty.wav"), "w", 16_000):
        pass
    with pytest.raises(SystemExit, match="holds no samples"):
        example(name).main([str(tmp_path / "empty.wav")])


def test_a_podcast_goes_on_after_a_file_that_is_none(
    example: Example, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = example("recording")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.wav").write_bytes(b"no audio")
    recording.made_up(tmp_path / "in/b.wav", 0.5, 3_000)
    recording.made_up(tmp_path / "in/c.wav", 0.5, 16_000)
    arguments = [tmp_path / "in", tmp_path / "out", "--model", model_folder]
    example("podcast_batch").main(list(map(str, arguments)))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["c.wav.wav"]
    assert len(capsys.readouterr().out.splitlines()) == 3
