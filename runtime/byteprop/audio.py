"""Features of sound for networks: what a board computes with csrc/audio, by the same C code.

From 16,000 samples per second of 16 bits, 32 values of int8 per window of 30 ms, every 20 ms: the
binary logarithm of the power in bands of a mel scale, in eighths. docs/audio.md has the equations.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.engine import _raw_audio
from byteprop.engine._raw_audio import BANDS, HOP, RATE, WINDOW, ZERO_POINT
from byteprop.errors import ArgumentError

__all__ = ["BANDS", "HOP", "RATE", "SCALE", "WINDOW", "ZERO_POINT", "FrontEnd", "features"]

SCALE = 1 / _raw_audio.STEPS_PER_OCTAVE


class FrontEnd:
    """A stream of sound: it takes samples as they come, in pieces of any length."""

    def __init__(self) -> None:
        self._stream = _raw_audio.Stream()

    def feed(self, samples: npt.ArrayLike) -> npt.NDArray[np.int8]:
        """The features, int8 [windows, BANDS], of the windows that these samples complete: none if
        there are too few. samples: int16."""
        return self._stream.feed(_checked(samples))

    def reset(self) -> None:
        """Begins again, as if nothing had been heard."""
        self._stream.reset()


def features(samples: npt.ArrayLike) -> npt.NDArray[np.int8]:
    """The features, int8 [windows, BANDS], of a whole sound. samples: int16, RATE per second; an
    end that fills no window is left out."""
    return FrontEnd().feed(samples)


def _checked(samples: npt.ArrayLike) -> Any:
    array = np.asarray(samples)
    if array.ndim != 1 or array.dtype != np.int16:
        raise ArgumentError(
            f"samples: expected int16 in one dimension, got {array.dtype} of shape {array.shape}; "
            "real numbers of -1 .. 1 become samples by np.round(32767 * x).astype(np.int16)"
        )
    return array
