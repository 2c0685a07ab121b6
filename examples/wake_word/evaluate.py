"""How good the wake word is, with voices and rooms that it was not trained on.

    python examples/wake_word/evaluate.py [MODEL.tflite] [--minutes 40] [--threshold N] [--seed N]

False rejects are wake words without a detection up to 0.6 seconds after their end. False accepts
are detections in sound without the wake word: per hour of other words, and of words that are made
to resemble it ("hey bike drop", or two to four other phonemes) the share that is accepted. Voices
are synthetic, as are those of the training: people, microphones and rooms give other figures.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import byteprop
import detector
import network
import voices
from byteprop import audio

HERE = Path(__file__).resolve().parent
SCENE_SECONDS = 30.0
LATEST = 0.6  # seconds from the end of a wake word to its detection
THRESHOLDS = (500, 600, 700, 800, 900, 960)
SEED = 1000
OTHERS = "other words, SNR 5-30 dB, per hour"
RESEMBLING = "words that resemble it, SNR 5-30 dB"


@dataclass(frozen=True)
class Condition:
    """share: of the minutes. wake_words: their share in the words."""

    name: str
    snr: tuple[float, float]
    share: float = 1 / 6
    wake_words: float = 0.5
    near_words: float = 0.5
    unusual: bool = False


CONDITIONS = (
    Condition("quiet room, SNR 20-30 dB", (20.0, 30.0)),
    Condition("noise, SNR 10-20 dB", (10.0, 20.0)),
    Condition("much noise, SNR 5-10 dB", (5.0, 10.0)),
    Condition("unusual voices, SNR 10-30 dB", (10.0, 30.0), unusual=True),
    Condition(OTHERS, (5.0, 30.0), share=1.0, wake_words=0.0, near_words=0.0),
    Condition(RESEMBLING, (5.0, 30.0), share=1 / 3, wake_words=0.0, near_words=1.0),
)


@dataclass(frozen=True)
class Figure:
    """missed of total wake words; where there are none, detections and the number of words."""

    condition: str
    threshold: int
    missed: int
    total: int
    hours: float


@dataclass(frozen=True)
class Heard:
    """A scene and the model's scores of the wake word, one per step."""

    words: tuple[tuple[str, int, int], ...]
    scores: npt.NDArray[np.int8]


def scores_of(model: byteprop.Model, samples: npt.NDArray[np.int16]) -> npt.NDArray[np.int8]:
    """Of the wake word, per step of a whole sound."""
    frames = audio.features(samples)
    steps = frames[: len(frames) // network.STEP * network.STEP]
    model.reset()
    found = model.run(steps.reshape(-1, network.STEP, 1, audio.BANDS), steps=True)
    return np.ascontiguousarray(found.reshape(len(found), -1)[:, -1])


def sample_of(step: int) -> int:
    """The last sample that a step has heard."""
    return (step * network.STEP + network.STEP - 1) * audio.HOP + audio.WINDOW


def scenes(model: byteprop.Model, minutes: float, seed: int, how: Condition) -> list[Heard]:
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(max(1, round(minutes * 60 / SCENE_SECONDS))):
        scene = voices.scene(
            draw, SCENE_SECONDS, wake_words=how.wake_words, near_words=how.near_words,
            unusual=how.unusual, snr=how.snr,
        )  # fmt: skip
        found.append(Heard(scene.words, scores_of(model, scene.samples)))
    return found


def rejects(heard: list[Heard], threshold: int) -> tuple[int, int]:
    """Wake words that were not detected, and all of them."""
    missed = total = 0
    for scene in heard:
        at = [sample_of(step) for step in detector.detections(scene.scores, threshold)]
        for word, begin, end in scene.words:
            if word == voices.WAKE_WORD:
                total += 1
                latest = end + LATEST * audio.RATE
                missed += not any(begin < moment <= latest for moment in at)
    return missed, total


def accepts(heard: list[Heard], threshold: int) -> tuple[int, int]:
    """Detections, and all words."""
    found = sum(len(detector.detections(scene.scores, threshold)) for scene in heard)
    return found, sum(len(scene.words) for scene in heard)


def figures(
    model: byteprop.Model, minutes: float, thresholds: Sequence[int], seed: int
) -> list[Figure]:
    """minutes: of sound with other words; each condition has a share of as much."""
    found = []
    for i, how in enumerate(CONDITIONS):
        heard = scenes(model, minutes * how.share, seed + i, how)
        hours = len(heard) * SCENE_SECONDS / 3600
        count = rejects if how.wake_words else accepts
        found += [Figure(how.name, t, *count(heard, t), hours) for t in thresholds]
    return found


def text(found: list[Figure]) -> str:
    """A table: conditions by thresholds."""
    thresholds = sorted({figure.threshold for figure in found})
    lines = ["threshold".ljust(52) + "".join(f"{t:>12}" for t in thresholds)]
    for how in CONDITIONS:
        row = [figure for figure in found if figure.condition == how.name]
        cells = [f"{f.missed} of {f.total}" for f in row]
        if how.name == OTHERS:
            cells = [f"{f.missed / f.hours:.1f}" for f in row]
        kind = "false rejects" if how.wake_words else "false accepts"
        lines.append(f"{kind}: {how.name:37}" + "".join(f"{cell:>12}" for cell in cells))
    others = next(figure for figure in found if figure.condition == OTHERS)
    return "\n".join([*lines, f"per hour: of {others.hours:.2f} with {others.total:,} words"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, nargs="?", default=HERE / "wake_word.tflite")
    parser.add_argument("--minutes", type=float, default=40.0, help="of sound with other words")
    parser.add_argument("--threshold", type=int, help="default: several")
    parser.add_argument("--seed", type=int, default=SEED, help="of voices (default: %(default)d)")
    args = parser.parse_args()
    thresholds = THRESHOLDS if args.threshold is None else (args.threshold,)
    print(text(figures(byteprop.load(args.model), args.minutes, thresholds, args.seed)))


if __name__ == "__main__":
    main()
