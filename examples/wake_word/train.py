"""Makes wake_word.tflite: a streaming network that knows "hey byteprop".

    python examples/wake_word/train.py [--minutes 90] [--steps 4500] [--seed 1] [-o FILE.tflite]

All sound is made by voices.py. Features come from byteprop.audio, the C code of boards. The network
is trained in float with NumPy, made int8 by byteprop.quantize, and given state. Takes some minutes;
evaluate.py measures the result with voices that it has not heard.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import byteprop
import network
import voices
from byteprop import audio

HERE = Path(__file__).resolve().parent
SCENE_SECONDS = 12.0
BATCH = 192
SHARES = (0.2, 0.5, 0.3)  # of the classes in a batch
Batches = Callable[[], tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]]
QUIET, SPEECH, WAKE, UNUSED = 0, 1, 2, -1
CALIBRATION = 600


@dataclass(frozen=True)
class Data:
    """frames: features of all scenes one after the other. labels: of the window that ends there."""

    frames: npt.NDArray[np.int8]
    labels: npt.NDArray[np.int8]

    def windows(self, ends: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
        """[n, FRAMES, bands]"""
        return self.frames[ends[:, None] + np.arange(1 - network.FRAMES, 1)]


def labels_of(scene: voices.Scene, frames: int) -> npt.NDArray[np.int8]:
    """Per frame, of the window that ends with it: the wake word if it ended less than a quarter of
    a second ago; other speech if there was some just now; quiet if there was none in the window.
    What is between these is not used."""
    end = np.arange(frames) * audio.HOP + audio.WINDOW
    second = audio.RATE
    labels = np.full(frames, QUIET, np.int8)
    for _, begin, last in scene.words:  # words that have begun, and did not end long ago
        labels[(end > begin) & (end - last < 1.3 * second)] = UNUSED
    for _, begin, last in scene.words:
        labels[(end - begin > 0.1 * second) & (end - last < 0.5 * second)] = SPEECH
    for word, _, last in scene.words:
        if word == voices.WAKE_WORD:
            labels[(end - last > -0.1 * second) & (end - last < 0.5 * second)] = UNUSED
            labels[(end >= last) & (end - last < 0.25 * second)] = WAKE
    labels[: network.FRAMES - 1] = UNUSED
    return labels


def data(minutes: float, seed: int) -> Data:
    """Scenes of different voices, rooms and loudness."""
    draw = np.random.default_rng(seed)
    frames, labels = [], []
    for _ in range(max(1, round(minutes * 60 / SCENE_SECONDS))):
        scene = voices.scene(draw, SCENE_SECONDS, wake_words=0.4, near_words=0.65)
        features = audio.features(scene.samples)
        frames.append(features)
        labels.append(labels_of(scene, len(features)))
    return Data(np.concatenate(frames), np.concatenate(labels))


def batches(source: Data, seed: int) -> Batches:
    """A function that draws a batch: windows in octaves, louder or softer than they were and now
    and then without some bands, and their classes."""
    draw = np.random.default_rng(seed)
    ends = [np.flatnonzero(source.labels == label) for label in range(len(network.CLASSES))]
    if min(map(len, ends)) == 0:
        raise SystemExit("a class has no sound; --minutes takes more of it")
    counts = [round(share * BATCH) for share in SHARES]
    labels = np.repeat(np.arange(len(counts)), counts)

    def batch() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        chosen = [draw.choice(e, n) for e, n in zip(ends, counts, strict=True)]
        x = network.octaves(source.windows(np.concatenate(chosen)))
        x += draw.uniform(-3, 3, (len(x), 1, 1)).astype(np.float32)
        first = draw.integers(0, audio.BANDS, len(x))
        width = draw.integers(0, 7, len(x)) * (draw.random(len(x)) < 0.5)
        at = np.arange(audio.BANDS)
        hidden = (at >= first[:, None]) & (at < (first + width)[:, None])
        x = np.where(hidden[:, None, :], x.mean(axis=(1, 2), keepdims=True), x)
        return np.clip(x, 0, 255 * audio.SCALE).astype(np.float32), labels

    return batch


def train(minutes: float, steps: int, seed: int) -> tuple[byteprop.Model, Data]:
    """The int8 model of windows, and what it was trained on."""
    began = time.monotonic()
    source = data(minutes, seed)
    counts = ", ".join(
        f"{np.sum(source.labels == i):,} {name}" for i, name in enumerate(network.CLASSES)
    )
    print(f"{minutes:g} minutes of sound in {time.monotonic() - began:.0f} s: {counts}", flush=True)

    def show(step: int, loss: float) -> None:
        if step % 250 == 0 or step == steps:
            print(f"step {step:5}  loss {loss:.4f}  {time.monotonic() - began:4.0f} s", flush=True)

    p = network.initial(seed)
    network.fit(p, batches(source, seed + 1), steps, show=show)
    draw = np.random.default_rng(seed + 2)
    ends = draw.choice(np.flatnonzero(source.labels != UNUSED), CALIBRATION)
    wake = draw.choice(np.flatnonzero(source.labels == WAKE), CALIBRATION // 3)
    windows = source.windows(np.concatenate([ends, wake]))
    model = network.quantized(p, windows)
    expected = network.probabilities(p, network.octaves(windows))[0]
    found = model.run(windows[:, :, None, :])
    agree = np.mean(found.argmax(axis=1) == expected.argmax(axis=1))
    print(f"int8 gives the class of float for {agree:.1%} of {len(windows)} windows")
    return model, source


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=90.0, help="of sound (default: 90)")
    parser.add_argument("--steps", type=int, default=4500, help="of training (default: 4500)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, default=HERE / "wake_word.tflite")
    args = parser.parse_args()
    model, source = train(args.minutes, args.steps, args.seed)
    stream = network.streaming(model)
    frames = source.frames[: 600 // network.STEP * network.STEP]
    check(model, stream, frames)
    stream.save(args.output)
    print(
        f"{args.output}: {args.output.stat().st_size:,} bytes; a step of 60 ms: {stream.macs:,} "
        f"multiplications, {stream.arena_bytes:,} bytes of RAM"
    )


def check(model: byteprop.Model, stream: byteprop.Model, frames: npt.NDArray[np.int8]) -> None:
    """Both give the same bytes wherever the window is full."""
    steps = frames.reshape(-1, network.STEP, 1, audio.BANDS)
    stream.reset()
    found = stream.run(steps, steps=True)
    ends = np.arange(len(steps)) * network.STEP + network.STEP - 1
    full = ends >= network.FRAMES - 1
    windows = frames[ends[full][:, None] + np.arange(1 - network.FRAMES, 1)]
    expected = model.run(windows[:, :, None, :])
    if not np.array_equal(found[full], expected):
        raise SystemExit("the stream and the windows give different outputs")
    print(f"identical: {len(expected)} outputs of the stream equal those of whole windows")


if __name__ == "__main__":
    main()
