"""A machine's sound by a formula, and the features that MLPerf Tiny's anomaly detector takes.

128 bands of a mel scale in dB, five frames of 1,024 values every 512 at 16 kHz. No recording: what
is learnt from it says how training behaves, not how well faults of real machines are found.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

RATE, FRAME, HOP, BANDS, FRAMES = 16000, 1024, 512, 128, 5
SECONDS = 4
HARMONICS = 13


def mel_bands() -> Floats:
    """Triangles [band, bin] of equal area; each has at least the bin at its middle."""
    edges = 700 * (
        10 ** (np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), BANDS + 2) / 2595) - 1
    )
    bins = np.linspace(0, RATE / 2, FRAME // 2 + 1)
    bands = np.zeros((BANDS, len(bins)))
    for i, (low, middle, high) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
        bands[i] = np.clip(
            np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)), 0, None
        )
        if not bands[i].any():
            bands[i, np.abs(bins - middle).argmin()] = 1
        bands[i] *= 2 / (high - low)
    return bands


def features(sound: Floats, bands: Floats) -> npt.NDArray[np.float32]:
    """[windows, 640] in dB."""
    starts = np.arange(0, len(sound) - FRAME + 1, HOP)
    frames = sound[starts[:, None] + np.arange(FRAME)] * np.hanning(FRAME)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    decibels = 10 * np.log10(power @ bands.T + 1e-6)
    last = len(decibels) - FRAMES + 1
    return np.stack([decibels[i : i + FRAMES].ravel() for i in range(last)]).astype(np.float32)


def machine(seed: int, hertz: float = 170.0) -> Floats:
    """Harmonics of a speed that wanders, each louder and softer at its own pace, and noise."""
    draw = np.random.default_rng(seed)
    t = np.arange(RATE * SECONDS) / RATE
    speed = hertz * (1 + 0.02 * np.cumsum(draw.normal(size=len(t))) / np.sqrt(len(t)))
    phase = 2 * np.pi * np.cumsum(speed) / RATE
    sound = np.zeros_like(t)
    for k in range(1, HARMONICS + 1):
        swell = 1 + 0.3 * np.sin(2 * np.pi * (2 + 0.3 * k) * t)
        sound += np.sin(k * phase + draw.uniform(0, 6)) * swell / k**1.1
    noise = np.convolve(draw.normal(size=len(t)), np.exp(-np.arange(64) / 10.4), "same")
    return 0.02 * (sound + 0.25 * noise)


def windows(seed: int, clips: int) -> npt.NDArray[np.float32]:
    """Of several clips, at five speeds in turn."""
    bands = mel_bands()
    speeds = 170 * (1 + 0.03 * (np.arange(clips) % 5 - 2))
    return np.concatenate(
        [features(machine(seed + i, float(hz)), bands) for i, hz in enumerate(speeds)]
    )
