from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from smle.batch.file_enhancement import FileOptions, enhance_files
from smle.batch.file_report import FileReport
from smle.batch.jobs import Job
from smle.enhancement.enhancer import Enhancer
from smle.enhancement.masking import RoutedMasker
from smle.enhancement.routing import DecisionTimes, Routing, Segment, decide
from smle.enhancement.streaming import Stream
from smle.errors import AudioError
from smle.files.audio import write
from smle.model.config import RoutingConfig
from tests.models import SUBBAND, arrays, enhancer, mixture
from tests.speech_like import RATE_HZ, noise_like, speech_like


def loud(rows: int, frames: int) -> np.ndarray:
    """Features (rows, frames, 257) whose loudness changes from frame to frame."""
    rng = np.random.default_rng(frames)
    return (
        3 * rng.random((rows, frames, 257), np.float32) * rng.random((rows, frames, 1), np.float32)
    )


def report_of(model: Enhancer, folder: Path, audio: np.ndarray, route: str) -> FileReport:
    job = Job(folder / "in.wav", folder / "out.wav", "in.wav")
    write(job.input, audio.astype(np.float32), RATE_HZ, subtype="FLOAT", overwrite=True)
    return enhance_files(model, [job], FileOptions(route=route, overwrite=True))[job]


def test_hysteresis_keeps_a_specialist_until_another_is_clearly_better():
    config = RoutingConfig(margin=1.0)
    lead = np.array([[0.0, 0.5], [0.0, 1.5], [0.5, 0.0]])
    chosen = [d.expert for d in decide(lead, [0, 0, 1], config, None)]
    assert chosen == [0, 1, 1]


def test_the_generalist_runs_where_the_gate_is_unsure_and_leaves_without_hysteresis():
    config = RoutingConfig(margin=5.0, confidence=0.6)
    evidence = np.array([[0.0, 0.0, 0.1], [0.0, 9.0, 0.0]])
    chosen = [d.expert for d in decide(evidence, [3, 3], config, generalist=3)]
    assert chosen == [3, 1]


def test_decisions_come_early_first_and_then_every_segment():
    times = DecisionTimes(RoutingConfig(segment_s=1.0), frames_per_s=64.0)
    due, frame = [], 0
    while frame < 300:
        frame = times.next_after(frame)
        due.append(frame)
    assert due == [8, 16, 32, 64, 128, 192, 256, 320]


def test_frames_in_pieces_are_masked_as_in_one():
    model = arrays(mixture(SUBBAND))
    features = loud(2, 130)
    whole = RoutedMasker(model, 2)(features)
    masker = RoutedMasker(model, 2)
    pieces = [masker(features[:, at : at + 7]) for at in range(0, 130, 7)]
    np.testing.assert_allclose(np.concatenate(pieces, 1), whole, atol=1e-6, rtol=0)


def test_experts_may_come_without_fade():
    sudden = RoutingConfig(segment_s=0.2, evidence_s=0.1, margin=0.0, fade_s=0.0)
    model = arrays(mixture(routing=sudden))
    features = loud(2, 60)
    masker = RoutedMasker(model, 2)
    assert masker(features).shape == features.shape
    assert masker.routing(range(2)).switches > 0


def test_the_mask_of_frames_does_not_depend_on_later_frames():
    model = arrays(mixture(SUBBAND))
    features = loud(1, 120)
    changed = features.copy()
    changed[:, 70:] *= 5
    first, second = RoutedMasker(model, 1)(features), RoutedMasker(model, 1)(changed)
    np.testing.assert_allclose(first[:, :70], second[:, :70], atol=1e-6, rtol=0)
    assert np.abs(first[:, 70:] - second[:, 70:]).max() > 1e-3


def test_a_new_expert_goes_on_from_the_state_of_the_one_before():
    model = arrays(mixture())
    features = loud(2, 100)
    masker = RoutedMasker(model, 2, route=[0, 0])
    masker(features[:, :50])
    masker.route = [0, 1]
    after = masker(features[:, 50:])
    first, second = model.experts[:2]
    kept, state = first(features[:, :50], first.start(2))
    kept, _ = first(features[:1, 50:], tuple(part[:1] for part in state))
    came, _ = second(features[1:, 50:], tuple(part[1:] for part in state))
    left, _ = first(features[1:, 50:], tuple(part[1:] for part in state))
    np.testing.assert_allclose(after[:1], kept, atol=1e-6, rtol=0)
    # The masks of both are cross-faded for 4 frames.
    weight = np.minimum(np.arange(1, 51) / 5, 1)[:, None]
    faded = weight * came + (1 - weight) * left
    np.testing.assert_allclose(after[1:], faded, atol=1e-6, rtol=0)


def test_an_expert_of_fresh_weights_starts_anew():
    model = arrays(mixture())
    training = replace(model.recipe.training, specialists_start="fresh")
    model.recipe = replace(model.recipe, training=training)
    features = loud(1, 100)
    masker = RoutedMasker(model, 1, route=[0])
    masker(features[:, :50])
    masker.route = [1]
    after = masker(features[:, 50:])
    alone, _ = model.experts[1](features[:, 50:], model.experts[1].start(1))
    np.testing.assert_allclose(after[:, 4:], alone[:, 4:], atol=1e-6, rtol=0)


def test_a_switch_between_equal_experts_is_none():
    """Whatever runs when: equal networks that take turns do what one of them does."""
    one = mixture()
    for expert in one.experts:
        expert.load_state_dict(one.experts[0].state_dict())
    model = arrays(one)
    features = loud(2, 130)
    masker = RoutedMasker(model, 2)
    routed = masker(features)
    assert masker.routing(range(2)).switches > 0
    alone, _ = model.experts[0](features, model.experts[0].start(2))
    np.testing.assert_allclose(routed, alone, atol=1e-6, rtol=0)


def test_the_dominant_expert_ran_longest_over_all_channels():
    routing = Routing(
        ("a", "b"),
        [
            [Segment(0, 2, "a", 0.9, 1.0), Segment(2, 3, "b", 0.6, 0.5)],
            [Segment(0, 3, "b", 0.8, 1.0)],
        ],
    )
    assert routing.dominant == "b"
    assert routing.probability == pytest.approx((0.6 * 1 + 0.8 * 3) / 4)
    assert routing.switches == 1


def test_a_lone_specialist_leads_nobody(tmp_path: Path):
    report = report_of(enhancer(specialists=("one",)), tmp_path, noise_like(1.0)[None], "segment")
    assert len(report.segments[0]) > 1
    assert {segment["margin"] for segment in report.segments[0]} == {0.0}
    json.dumps(report.segments, allow_nan=False)


def test_a_files_margin_is_the_least_that_the_gate_decided_by(tmp_path: Path):
    audio = np.stack([speech_like(1.0), noise_like(1.0)])
    report = report_of(enhancer(), tmp_path, audio, "segment")
    margins = [segment["margin"] for channel in report.segments for segment in channel[1:]]
    assert report.margin == min(margins) > 0
    for route in ("file", "two"):
        assert report_of(enhancer(), tmp_path, audio, route).margin == 0


def test_a_long_file_is_routed_once_for_each_channel_like_a_short_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    audio = np.stack([speech_like(2.0), noise_like(2.0)])
    short = report_of(enhancer(), tmp_path, audio, "file")
    monkeypatch.setattr("smle.batch.file_enhancement.STREAMED_ABOVE", 0)
    long = report_of(enhancer(), tmp_path, audio, "file")
    experts = [channel[0]["expert"] for channel in short.segments]
    assert len(set(experts)) == 2
    assert long.segments == short.segments


def test_rows_that_are_over_disturb_nobody_and_are_left_alone():
    model, features, ends = arrays(mixture()), loud(3, 200), [50, 200, 120]
    whole = RoutedMasker(model, 3)(features)
    ended = RoutedMasker(model, 3, ends=ends)(features)
    for row, end in enumerate(ends):
        np.testing.assert_allclose(ended[row, :end], whole[row, :end], atol=1e-5)
    assert not ended[0, -50:].any()
    assert whole[0, -50:].any()


def test_more_may_be_heard_first_than_there_is_to_enhance():
    audio = np.stack([speech_like(2.0), noise_like(2.0)]).astype(np.float32)
    model = arrays(mixture())
    done = []
    for lengths in (None, [8_000, 8_000]):
        stream = Stream(model, RATE_HZ, 2, lengths=lengths)
        stream.hear(audio)
        done.append(np.concatenate([stream.feed(audio[:, :8_000]), stream.flush()], 1))
    np.testing.assert_allclose(done[0], done[1], atol=1e-5)
    assert done[0].any()


def test_no_expert_is_chosen_for_what_cannot_be_heard():
    for nothing in ([], [(np.zeros(0), RATE_HZ)], [(np.full(2000, np.nan), RATE_HZ)]):
        with pytest.raises(AudioError):
            enhancer().pool_route(nothing)


def test_a_signal_in_pieces_gets_for_each_channel_what_that_channel_gets_alone():
    audio = np.stack([speech_like(2.0), noise_like(2.0)])
    pieces = [(audio[:, :12_000], RATE_HZ), (audio[:, 12_000:], RATE_HZ)]
    model = enhancer()
    together = [model.expert_names[k] for k in model.channel_routes(pieces)]
    alone = [model.pool_route((piece[row], rate) for piece, rate in pieces) for row in (0, 1)]
    assert together == alone
    assert len(set(alone)) == 2
