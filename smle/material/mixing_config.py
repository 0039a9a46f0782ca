"""How training mixtures are drawn: the ``[mixing]`` table of a recipe."""

from __future__ import annotations

from dataclasses import dataclass, fields

from smle.errors import RecipeError
from smle.model.config import within


@dataclass(frozen=True)
class MixingConfig:
    """Ranges are uniform; each probability is that of one mixture having the change.

    Args:
        segment_s: Length of a mixture, rounded up to a multiple of 256 samples.
        snr_db: Signal-to-noise ratio of speech as heard (in its room) to all noise.
        level_dbfs: Root mean square of the noisy signal, less where its peak would pass full scale.
        pause: Silence before, inside and after utterances.
        pause_s: Length of one pause.
        speed: Speech played slower or faster.
        speed_range: Factors of speed.
        noise_speed: Recorded noise played slower or faster.
        noise_speed_range: Factors of its speed, uniform in their logarithm.
        equalise: Speech, and independently noise, coloured by a smooth response.
        equalise_db: Most that the response departs from flat.
        room: Speech in a room; the clean signal keeps the first 50 ms of the room.
        room_late_gain: Gain of what the room adds later than that.
        simulated_rooms: How many rooms to simulate beside the measured ones; needs the extra
            `rooms`.
        clip: The noisy signal clipped.
        clip_db: How far below its peak.
        band_limit: Noisy and clean low-passed alike.
        band_limits_hz: Cut-offs to choose from.
        resampled: A steep edge between 0.8 and 1 of half the sample rate, as resamplers leave it;
            in every third of such mixtures in the noise alone.
        low_cut: A low cut between 60 and 450 Hz, in every third of them in the noise alone.
        second_noise: Another noise added to the first.
        second_noise_db: Its power relative to the first.
        passing: The noise heard in moments, as a sneeze or a car is, and far away between them.
        babble: Other speakers of the corpus as the noise.
        babble_talkers: Fewest and most of them.
        synthetic: Coloured noise, hum, clicks or chords as the noise.
        noise_only: No speech; the clean signal is silence.
        clean_only: No noise.
    """

    segment_s: float = 3.0
    snr_db: tuple[float, float] = (-10.0, 20.0)
    level_dbfs: tuple[float, float] = (-45.0, -12.0)
    pause: float = 0.5
    pause_s: tuple[float, float] = (0.2, 1.5)
    speed: float = 0.2
    speed_range: tuple[float, float] = (0.9, 1.1)
    noise_speed: float = 0.0
    noise_speed_range: tuple[float, float] = (0.67, 1.5)
    equalise: float = 0.5
    equalise_db: float = 8.0
    room: float = 0.3
    room_late_gain: tuple[float, float] = (0.1, 1.0)
    simulated_rooms: int = 0
    clip: float = 0.05
    clip_db: tuple[float, float] = (1.0, 12.0)
    band_limit: float = 0.15
    band_limits_hz: tuple[float, ...] = (3400.0, 4000.0, 5500.0, 7000.0)
    resampled: float = 0.0
    low_cut: float = 0.0
    second_noise: float = 0.25
    second_noise_db: tuple[float, float] = (-12.0, 6.0)
    passing: float = 0.0
    babble: float = 0.07
    babble_talkers: tuple[int, int] = (3, 8)
    synthetic: float = 0.1
    noise_only: float = 0.03
    clean_only: float = 0.03

    def __post_init__(self) -> None:
        for name in _PROBABILITIES:
            if not 0 <= getattr(self, name) <= 1:
                raise RecipeError(
                    f"{name} is {getattr(self, name)}; choose a probability from 0 to 1"
                )
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple) and field.name != "band_limits_hz" and value[0] > value[1]:
                raise RecipeError(f"{field.name} is {list(value)}; lower end first")
        for name, (least, most) in _LIMITS.items():
            for value in getattr(self, name):
                within(name, value, least, most)
        within("equalise_db", self.equalise_db, 0.0, 60.0)
        for pair in (("babble", "synthetic"), ("noise_only", "clean_only")):
            if sum(getattr(self, name) for name in pair) > 1:
                raise RecipeError(f"{pair[0]} plus {pair[1]} is above 1; lower one")
        if not 0 <= self.simulated_rooms <= _MOST_ROOMS:
            raise RecipeError(
                f"simulated_rooms is {self.simulated_rooms}; choose 0 to {_MOST_ROOMS}"
            )
        if not 0.1 <= self.segment_s <= 60:
            raise RecipeError(f"segment_s is {self.segment_s}; choose 0.1 to 60 seconds")
        if self.pause_s[0] < 0 or self.babble_talkers[0] < 1:
            raise RecipeError(
                "pause_s or babble_talkers starts too low; "
                "use pauses from 0 s, and 1 talker or more"
            )
        if self.band_limit and (not self.band_limits_hz or min(self.band_limits_hz) <= 0):
            raise RecipeError("band_limits_hz needs positive frequencies; add some")


_MOST_ROOMS = 1_000
# Beyond these a mixture is no sound, or powers do not fit into single precision.
_LIMITS = {
    "snr_db": (-100.0, 100.0),
    "level_dbfs": (-120.0, 0.0),
    "second_noise_db": (-100.0, 100.0),
    "clip_db": (0.0, 60.0),
    "speed_range": (0.25, 4.0),
    "noise_speed_range": (0.25, 4.0),
    "room_late_gain": (0.0, 10.0),
}
_PROBABILITIES = (
    "pause",
    "speed",
    "noise_speed",
    "equalise",
    "room",
    "clip",
    "band_limit",
    "resampled",
    "low_cut",
    "second_noise",
    "passing",
    "babble",
    "synthetic",
    "noise_only",
    "clean_only",
)
