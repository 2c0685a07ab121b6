"""The inputs of the network for a window of acceleration: 20 numbers instead of 384.

Three means (where is down?), three spreads (how much does each axis move?), the lowest and the
highest total, the mean change from sample to sample, and how strongly the total swings in eleven
bands from 0.4 to 12.5 Hz. Spreads and bands as logarithms, since a run is a hundred times a stand.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from signals import RATE_HZ, WINDOW, Floats

BANDS_HZ = (0.3, 0.9, 1.3, 1.7, 2.1, 2.5, 2.9, 3.5, 4.5, 6.0, 8.5, 12.6)
COUNT = 3 + 3 + 3 + len(BANDS_HZ) - 1
_FLOOR_G = 0.005  # what the sensor's noise hides


def features(signal: Floats) -> npt.NDArray[np.float32]:
    """float32 [n, 20], each about -1 .. 1, of windows [n, 128, 3]. The numbers that centre and
    stretch them are the same for everybody, so that a board needs no statistics of its users."""
    total = np.linalg.norm(signal, axis=2)
    changes = np.abs(np.diff(total, axis=1)).mean(axis=1)
    columns = [
        *signal.mean(axis=1).T,
        *_loudness(signal.std(axis=1)).T,
        1 - 2 * total.min(axis=1),
        np.log2(total.max(axis=1)) - 1,
        _loudness(changes),
        *_loudness(_bands(total)).T,
    ]
    return np.clip(np.stack(columns, axis=1), -1, 1).astype(np.float32)


def _loudness(amplitude: Floats) -> Floats:
    """-1 for silence, 0 for about 0.1 g, 1 for 2 g."""
    return np.asarray(np.log2(np.maximum(amplitude, _FLOOR_G) / 0.1) / 4.33)


def _bands(total: Floats) -> Floats:
    """Amplitude [n, 11] of the total's swing in every band."""
    spectrum = np.abs(np.fft.rfft(total - total.mean(axis=1, keepdims=True), axis=1)) ** 2
    frequency = np.fft.rfftfreq(WINDOW, 1 / RATE_HZ)
    place = np.searchsorted(BANDS_HZ, frequency, side="right") - 1
    power = [spectrum[:, place == band].sum(axis=1) for band in range(len(BANDS_HZ) - 1)]
    return np.asarray(np.sqrt(np.stack(power, axis=1)) * 2 / WINDOW)
