from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch

from smle.errors import CorpusError, RecipeError
from smle.material.clusters import Clusters, Only
from smle.material.corpus import read_corpus
from smle.material.dataset import MixtureDataset
from smle.material.decoded import Decoded
from smle.material.mixing import snr_db_of
from smle.material.mixing_config import MixingConfig
from smle.material.prefetch import prefetch
from smle.material.rooms import Rooms
from smle.model.config import from_table

PLAIN = MixingConfig(
    segment_s=0.5,
    pause=0.0,
    speed=0.0,
    equalise=0.0,
    room=0.0,
    clip=0.0,
    band_limit=0.0,
    second_noise=0.0,
    babble=0.0,
    synthetic=0.0,
    noise_only=0.0,
    clean_only=0.0,
)
EVERYTHING = replace(
    MixingConfig(),
    segment_s=0.5,
    room=0.7,
    speed=0.7,
    noise_speed=0.5,
    clip=0.5,
    babble=0.3,
    passing=0.3,
    resampled=0.5,
    low_cut=0.5,
)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> tuple[Decoded, Decoded, Rooms]:
    """Speakers whose signals are told apart by their pitch: 500 Hz for anna, 2000 Hz for bert."""
    root = tmp_path_factory.mktemp("material")
    rng = np.random.default_rng(0)
    for speaker, pitch_hz in (("anna", 500), ("bert", 2000)):
        (root / "speech" / speaker).mkdir(parents=True)
        for number in range(3):
            time = np.arange(6000 + 3000 * number) / 16000
            tone = 0.1 * np.sin(2 * np.pi * pitch_hz * time)
            sf.write(root / "speech" / speaker / f"{number}.wav", tone, 16000)
    for kind in ("wind", "fan"):
        (root / "noise" / kind).mkdir(parents=True)
        sf.write(root / "noise" / kind / "a.wav", 0.1 * rng.standard_normal(5000), 16000)
    response = rng.standard_normal(4000) * np.exp(-np.arange(4000) / 600) * 0.2
    response[0] = 1
    return (
        Decoded(read_corpus(root / "speech")),
        Decoded(read_corpus(root / "noise")),
        Rooms([response.astype(np.float32)]),
    )


Material = tuple[Decoded, Decoded, Rooms]


def test_batch_is_a_pure_function_of_seed_step_and_item(material: Material) -> None:
    dataset = MixtureDataset(*material, EVERYTHING, 3)
    whole = dataset.batch(5, 8)
    dataset.batch(6, 4)
    second_half = MixtureDataset(*material, EVERYTHING, 3).batch(5, 4, first_item=4)
    assert torch.equal(whole.noisy[4:], second_half.noisy)
    assert torch.equal(whole.clean[4:], second_half.clean)
    for other in (dataset.batch(4, 8), MixtureDataset(*material, EVERYTHING, 4).batch(5, 8)):
        assert not torch.equal(whole.noisy, other.noisy)


def test_shapes_and_levels(material: Material) -> None:
    batch = MixtureDataset(*material, EVERYTHING, 0).batch(0, 32)
    assert batch.noisy.shape == batch.clean.shape == (32, 8192)
    assert batch.noisy.dtype == batch.clean.dtype == torch.float32
    assert batch.labels.shape == batch.snr_db.shape == batch.speech.shape == (32,)
    assert torch.isfinite(batch.noisy).all()
    assert torch.isfinite(batch.clean).all()
    assert batch.noisy.abs().max() <= 1.0001


@pytest.mark.parametrize("passing", [0.0, 1.0])
def test_stated_snr_is_that_of_the_signals(material: Material, passing: float) -> None:
    batch = MixtureDataset(*material[:2], None, replace(PLAIN, passing=passing), 0).batch(0, 16)
    for noisy, clean, snr_db in zip(batch.noisy, batch.clean, batch.snr_db, strict=True):
        assert snr_db_of(clean.numpy(), (noisy - clean).numpy()) == pytest.approx(
            float(snr_db), abs=0.01
        )


@pytest.mark.parametrize(
    ("option", "low_hz", "high_hz"), [("resampled", 7900, 8000), ("low_cut", 10, 50)]
)
def test_what_was_filtered_has_little_left_at_its_end(
    material: Material, option: str, low_hz: float, high_hz: float
) -> None:
    def share(filtered: float) -> np.ndarray:
        """Mean power of the noise in this range over that in all, by mixture."""
        config = replace(PLAIN, **{option: filtered})
        batch = MixtureDataset(*material[:2], None, config, 0).batch(0, 64)
        power = np.abs(np.fft.rfft((batch.noisy - batch.clean).numpy())) ** 2
        hertz = np.linspace(0, 8000, power.shape[1])
        inside = (hertz > low_hz) & (hertz < high_hz)
        return power[:, inside].mean(1) / power.mean(1)

    assert np.median(share(0.0)) > 0.5
    assert np.median(share(1.0)) < 0.05


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.25])
def test_noise_played_faster_moves_up(tmp_path: Path, material: Material, factor: float) -> None:
    tone = 0.1 * np.sin(2 * np.pi * 1000 * np.arange(64_000) / 16_000)
    sf.write(tmp_path / "tone.wav", tone, 16_000)
    config = replace(PLAIN, noise_speed=1.0, noise_speed_range=(factor, factor))
    noise = Decoded(read_corpus(tmp_path))
    batch = MixtureDataset(material[0], noise, None, config, 0).batch(0, 4)
    spectrum = np.abs(np.fft.rfft((batch.noisy - batch.clean).numpy())).mean(0)
    loudest_hz = spectrum.argmax() / len(spectrum) * 8000
    assert loudest_hz == pytest.approx(1000 * factor, abs=10)


def test_passing_noise_is_loud_in_moments(material: Material) -> None:
    def loudest_to_mean_db(passing: float) -> float:
        config = replace(PLAIN, segment_s=10, noise_only=1.0, passing=passing)
        noise = MixtureDataset(*material[:2], None, config, 0).batch(0, 8).noisy
        powers = noise[:, :160_000].unflatten(1, (-1, 160)).square().mean(2)
        return float(10 * torch.log10(powers.amax(1) / powers.mean(1)).mean())

    assert loudest_to_mean_db(1.0) > loudest_to_mean_db(0.0) + 2


def test_room_leaves_the_late_reverberation_out_of_the_target(material: Material) -> None:
    config = replace(PLAIN, room=1.0, clean_only=1.0, room_late_gain=(1.0, 1.0))
    batch = MixtureDataset(*material, config, 0).batch(0, 8)
    late = (batch.noisy - batch.clean).square().mean(dim=1)
    assert (late > 1e-3 * batch.clean.square().mean(dim=1)).all()


def test_noise_only_and_clean_only(material: Material) -> None:
    noise_only = MixtureDataset(*material[:2], None, replace(PLAIN, noise_only=1.0), 0).batch(0, 4)
    assert (noise_only.clean == 0).all()
    assert (noise_only.snr_db == -math.inf).all()
    assert noise_only.noisy.abs().amax(dim=1).min() > 0
    clean_only = MixtureDataset(*material[:2], None, replace(PLAIN, clean_only=1.0), 0).batch(0, 4)
    assert torch.equal(clean_only.noisy, clean_only.clean)
    assert (clean_only.snr_db == math.inf).all()


def pitches_hz(signals: torch.Tensor) -> set[int]:
    peaks = torch.fft.rfft(signals).abs().argmax(dim=1) * 16000 / signals.shape[1]
    return {round(float(peak) / 100) * 100 for peak in peaks}


def test_only_draws_the_material_of_one_cluster(material: Material) -> None:
    speech, noise, _ = material
    assert pitches_hz(MixtureDataset(speech, noise, None, PLAIN, 0).batch(0, 16).clean) == {
        500,
        2000,
    }
    for only in (
        Only(speakers=frozenset({"bert"})),
        Only(utterances=frozenset({"bert/0.wav", "bert/2.wav"})),
    ):
        batch = MixtureDataset(speech, noise, None, PLAIN, 0, only=only).batch(0, 16)
        assert pitches_hz(batch.clean) == {2000}
    quiet = MixtureDataset(speech, noise, None, PLAIN, 0, only=Only(snr_db=(-math.inf, -5.0)))
    snr_db = quiet.batch(0, 16).snr_db
    assert snr_db.max() <= -5
    assert snr_db.min() >= -10
    with pytest.raises(CorpusError, match="no speech"):
        MixtureDataset(speech, noise, None, PLAIN, 0, only=Only(speakers=frozenset({"carl"})))
    with pytest.raises(CorpusError, match="no noise"):
        MixtureDataset(speech, noise, None, PLAIN, 0, only=Only(noises=frozenset({"rain.wav"})))
    with pytest.raises(CorpusError, match="SNR interval"):
        MixtureDataset(speech, noise, None, PLAIN, 0, only=Only(snr_db=(30.0, math.inf)))


def test_labels_follow_the_clusters(material: Material) -> None:
    speech, noise, _ = material
    by_speaker = Clusters("speaker", ("0", "1"), {"anna": 0, "bert": 1})
    batch = MixtureDataset(speech, noise, None, PLAIN, 0, clusters=by_speaker).batch(0, 16)
    expected = [
        0 if speech.corpus.utterances[int(i)].speaker == "anna" else 1 for i in batch.speech
    ]
    assert batch.labels.tolist() == expected
    by_snr = Clusters("snr", ("low", "high"), levels_db=(-5.0, 5.0))
    batch = MixtureDataset(speech, noise, None, PLAIN, 0, clusters=by_snr).batch(0, 16)
    assert batch.labels.tolist() == [int(snr > 0) for snr in batch.snr_db]
    by_noise = Clusters("noise", ("0", "1"), {"wind/a.wav": 0, "fan/a.wav": 1})
    batch = MixtureDataset(speech, noise, None, PLAIN, 0, clusters=by_noise).batch(0, 16)
    assert set(batch.labels.tolist()) == {0, 1}


def test_rates_must_agree(material: Material) -> None:
    speech, noise, _ = material
    other = Decoded(noise.corpus, sample_rate=8000)
    with pytest.raises(CorpusError, match="use one rate"):
        MixtureDataset(speech, other, None, PLAIN, 0)


@pytest.mark.parametrize(
    "table",
    [{"room": 1.5}, {"snr_db": [20, -10]}, {"roomy": 1}, {"segment_s": "3"}, {"segment_s": 0.0}],
)
def test_bad_mixing_table_is_one_line(table: dict[str, object]) -> None:
    with pytest.raises(RecipeError) as raised:
        from_table(MixingConfig, table, "mixing")
    assert "\n" not in str(raised.value)


def test_prefetched_batches_are_the_same(material: Material) -> None:
    dataset = MixtureDataset(*material, EVERYTHING, 0)
    for step, batch in enumerate(prefetch(dataset, range(6), 2)):
        assert torch.equal(batch.noisy, dataset.batch(step, 2).noisy)
    assert step == 5


def prefetch_threads() -> int:
    return sum(thread.name == "prefetch" for thread in threading.enumerate())


def test_prefetch_stops_with_its_reader(material: Material) -> None:
    batches = prefetch(MixtureDataset(*material, EVERYTHING, 0), iter(int, 1), 2)
    next(batches)
    assert prefetch_threads() == 1
    batches.close()  # type: ignore[attr-defined]
    assert prefetch_threads() == 0


def test_prefetch_raises_what_the_thread_met(material: Material) -> None:
    def steps() -> Iterator[int]:
        yield 0
        raise CorpusError("the disk is gone: put it back")

    batches = prefetch(MixtureDataset(*material, EVERYTHING, 0), steps(), 2)
    next(batches)
    with pytest.raises(CorpusError, match="disk is gone"):
        next(batches)
    assert prefetch_threads() == 0
