"""The vibration of a machine, and a detector of its faults.

    python examples/machine/machine.py [--seed 1] [--save machine.bpd] [--export FOLDER]

The signal is made by a formula, as an acceleration sensor with 3,200 values per second would give
it. A shaft turns 25 times a second, with a speed that wanders by 2 %; its harmonics have loads that
change. A fault in the outer ring of a bearing hits once per ball that passes, 3.6 times per turn;
each hit rings at 1,000 Hz for some milliseconds. Windows of 256 values (80 ms) become 32 features:
the logarithm of the power in bands of equal width.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

import byteprop
from byteprop.anomaly import AnomalyDetector, Figures, figures_of

Floats = npt.NDArray[np.float64]

RATE, WINDOW, BANDS = 3200, 256, 32
TURNS, HITS_PER_TURN, RINGING = 25.0, 3.6, 1000.0
SECONDS = WINDOW / RATE
FAULTS = (0.4, 0.6, 0.8, 1.2)


def vibration(seconds: float, seed: int, fault: float = 0.0) -> Floats:
    """fault: how hard the bearing hits, where the shaft itself shakes by 1."""
    draw = np.random.default_rng(seed)
    n = int(seconds * RATE)
    t = np.arange(n) / RATE
    moments = np.arange(int(seconds) + 2)
    wander, load = (np.interp(t, moments, draw.uniform(-1, 1, len(moments))) for _ in range(2))
    turns = np.cumsum(TURNS * (1 + 0.02 * wander)) / RATE
    signal = sum((1 + 0.3 * load) * np.sin(2 * np.pi * k * turns + k) / k for k in range(1, 9))
    signal = signal + draw.normal(0, 0.2, n)
    hits = np.diff(np.floor(turns * HITS_PER_TURN), prepend=0) > 0
    ring = np.arange(64) / RATE
    ringing = np.exp(-ring / 0.004) * np.sin(2 * np.pi * RINGING * ring)
    return np.asarray(signal + fault * np.convolve(hits * draw.uniform(0.5, 1.5, n), ringing)[:n])


def features(signal: Floats) -> npt.NDArray[np.float32]:
    """[windows, BANDS]"""
    frames = signal[: len(signal) // WINDOW * WINDOW].reshape(-1, WINDOW) * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(frames, axis=1)[:, 1:]) ** 2
    bands = power.reshape(len(frames), BANDS, -1).mean(axis=2)
    return np.asarray(np.log2(bands + 1e-3), np.float32)


def detector(seed: int) -> AnomalyDetector:
    """Learnt from two minutes of a machine in order."""
    layers = [byteprop.Dense(n, "relu") for n in (16, 6, 16)]
    net = byteprop.Sequential([*layers, byteprop.Dense(BANDS)], input_shape=BANDS, seed=seed)
    found = AnomalyDetector(net, percentile=99, votes=(3, 5))
    found.fit(features(vibration(120, seed)), epochs=20, seed=seed)
    return found


def judged(found: AnomalyDetector, seed: int, fault: float) -> Figures:
    """Of five minutes in order and one with a fault."""
    normal = features(vibration(300, seed + 1000))
    faulty = features(vibration(60, seed + 2000, fault))
    verdicts = found.detect(np.concatenate([normal, faulty]))
    return figures_of(verdicts, np.arange(len(verdicts)) >= len(normal))


def export(folder: Path, seed: int, *, seconds: float = 120, fault: float = 0.8) -> None:
    """For `byteprop anomaly`: a network that has learnt from the machine in order, windows to
    learn a threshold from, and windows to judge, of which the last tenth have a fault."""
    folder.mkdir(parents=True, exist_ok=True)
    detector(seed).model.save(folder / "machine.tflite")
    normal, in_order, faulty = (
        features(vibration(s, seed + more, hit))
        for s, more, hit in (
            (seconds, 500, 0.0),
            (seconds * 0.9, 1000, 0.0),
            (seconds * 0.1, 2000, fault),
        )
    )
    np.savez(folder / "normal.npz", x=normal)
    labels = np.arange(len(in_order) + len(faulty)) >= len(in_order)
    np.savez(folder / "test.npz", x=np.concatenate([in_order, faulty]), y=labels.astype(np.uint8))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--save", type=Path, metavar="FILE")
    parser.add_argument("--export", type=Path, metavar="FOLDER")
    args = parser.parse_args()
    if args.export is not None:
        export(args.export, args.seed)
        return
    print("fault   AUC    precision  recall  false alarms per hour")
    for fault in FAULTS:
        found = detector(args.seed)
        figures = judged(found, args.seed, fault)
        print(
            f"{fault:5.2f}  {figures.auc:.3f}  {figures.precision:9.3f}  {figures.recall:6.3f}  "
            f"{figures.false_alarms_per_hour(SECONDS):6.1f}",
            flush=True,
        )
    if args.save is not None:
        found.save(args.save)


if __name__ == "__main__":
    main()
