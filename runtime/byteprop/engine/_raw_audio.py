"""The checked way into the front end for sound in C."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from byteprop._kernels import ffi, lib
from byteprop.engine import _raw

RATE = _raw.const("BP_AUDIO_RATE")
WINDOW = _raw.const("BP_AUDIO_WINDOW")
HOP = _raw.const("BP_AUDIO_HOP")
BANDS = _raw.const("BP_AUDIO_BANDS")
ZERO_POINT = _raw.const("BP_AUDIO_ZERO_POINT")
STEPS_PER_OCTAVE = _raw.const("BP_AUDIO_STEPS_PER_OCTAVE")
_SAMPLES = ffi.typeof("int16_t[]")
_FEATURES = ffi.typeof("int8_t[]")


class Stream:
    """A stream of sound."""

    def __init__(self) -> None:
        self._audio = ffi.new("bp_audio_t *")

    def reset(self) -> None:
        lib.bp_audio_reset(self._audio)

    def feed(self, samples: npt.NDArray[np.int16]) -> npt.NDArray[np.int8]:
        """The features [windows, BANDS] of the windows that these samples fill."""
        samples = np.ascontiguousarray(samples)
        n = len(samples)
        rows = max(0, (self._audio.n + n - WINDOW) // HOP + 1)
        features = np.zeros((rows, BANDS), np.int8)
        if n == 0:
            return features
        source = ffi.from_buffer(_SAMPLES, samples)
        target = ffi.from_buffer(_FEATURES, features) if rows else ffi.NULL
        taken = row = 0
        while taken < n:
            taken += lib.bp_audio_feed(self._audio, source + taken, n - taken)
            if lib.bp_audio_is_full(self._audio):
                lib.bp_audio_features(self._audio, target + row * BANDS)
                row += 1
        return features
