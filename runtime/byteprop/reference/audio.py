"""The front end for sound in Python integers, written from docs/audio.md alone."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

_WINDOW, _HOP, _POINTS, _BANDS = 480, 320, 512, 32
_EDGES = np.linspace(
    2595 * math.log10(1 + 125 / 700), 2595 * math.log10(1 + 7500 / 700), _BANDS + 2
)
_BINS = np.arange(4, 241)
Integers = npt.NDArray[np.int64]


def _rounded(x: npt.NDArray[np.float64]) -> Integers:
    found: Integers = np.floor(x + 0.5).astype(np.int64)
    return found


def _half_up(x: Integers, bits: int) -> Integers:
    found: Integers = (x + (1 << (bits - 1))) >> bits
    return found


_HANN = np.minimum(
    _rounded(2**14 * (1 - np.cos(2 * np.pi * (np.arange(_WINDOW) + 0.5) / _WINDOW))), 32767
)
_ANGLES = 2 * np.pi * np.arange(_POINTS // 2) / _POINTS
_COS = np.sign(np.cos(_ANGLES)).astype(np.int64) * _rounded(2**14 * np.abs(np.cos(_ANGLES)))
_SIN = _rounded(2**14 * np.sin(_ANGLES))
_LOG2 = _rounded(4096 * np.log2(1 + np.arange(33) / 32))


def _weights() -> Integers:
    """[band, bin]"""
    edges = 700 * (10 ** (_EDGES / 2595) - 1) * _POINTS / 16000
    # Of each bin the last edge that is not above it; the first and the last edge are bins.
    part = np.searchsorted(edges[1:-1], _BINS, side="right")
    share = (_BINS - edges[part]) / (edges[part + 1] - edges[part])
    rise = np.clip(np.floor(256 * share), 0, 255).astype(np.int64)
    found = np.zeros((_BANDS + 2, len(_BINS)), np.int64)
    found[part + 1, np.arange(len(_BINS))] = rise
    found[part, np.arange(len(_BINS))] = 256 - rise
    return found[1:-1]


_WEIGHTS = _weights()


def _width(values: Integers) -> int:
    """The bits that all of these take, without a sign: -2^b .. 2^b - 1."""
    return max(max(int(v), ~int(v)).bit_length() for v in values)


def _transform(re: Integers, im: Integers) -> tuple[Integers, Integers, int]:
    order = [int(f"{i:08b}"[::-1], 2) for i in range(256)]
    re, im, shifts = re[order], im[order], 0
    for stage in range(8):
        half = 1 << stage
        width = _width(np.concatenate([re, im]))
        shift = int(width > 13) + int(width > 14)
        first = np.array([i for i in range(256) if not i & half])
        second = first + half
        at = (first % half) * (256 // half)
        c, s = _COS[at], _SIN[at]
        turned_re = c * re[second] + s * im[second]
        turned_im = c * im[second] - s * re[second]
        new_re, new_im = np.empty_like(re), np.empty_like(im)
        for place, sign in ((first, 1), (second, -1)):
            new_re[place] = _half_up((re[first] << 14) + sign * turned_re, 14 + shift)
            new_im[place] = _half_up((im[first] << 14) + sign * turned_im, 14 + shift)
        re, im, shifts = new_re, new_im, shifts + shift
    return re, im, shifts


def _power(re: Integers, im: Integers) -> Integers:
    k, mirror = _BINS, (256 - _BINS) % 256
    a_re, a_im = re[k] + re[mirror], im[k] - im[mirror]
    b_re, b_im = re[k] - re[mirror], im[k] + im[mirror]
    bin_re = _half_up((a_re << 14) + _COS[k] * b_im - _SIN[k] * b_re, 15)
    bin_im = _half_up((a_im << 14) - _COS[k] * b_re - _SIN[k] * b_im, 15)
    return bin_re**2 + bin_im**2


def _logarithm(x: int) -> int:
    octave = x.bit_length() - 1
    mantissa = ((x << 15) >> octave) - (1 << 15)
    i, rest = divmod(mantissa, 1024)
    return octave * 4096 + int(_LOG2[i]) + ((int(_LOG2[i + 1] - _LOG2[i]) * rest) >> 10)


def window_features(samples: npt.NDArray[np.int16]) -> npt.NDArray[np.int8]:
    """Of one window."""
    x = samples.astype(np.int64)
    up = 15 - _width(x)
    shaped = np.zeros(_POINTS, np.int64)
    shaped[:_WINDOW] = _half_up((x << up) * _HANN, 15)
    re, im, down = _transform(shaped[0::2], shaped[1::2])
    found = []
    for power in _WEIGHTS @ _power(re, im):
        if power == 0:
            found.append(-128)
            continue
        octaves = _logarithm(int(power)) + (2 * (down - up) - 8 - 12) * 4096
        found.append(min(max((octaves + 256) >> 9, 0), 255) - 128)
    return np.array(found, np.int8)


def features(samples: npt.NDArray[np.int16]) -> npt.NDArray[np.int8]:
    """Of a whole sound."""
    starts = range(0, len(samples) - _WINDOW + 1, _HOP)
    rows = [window_features(samples[i : i + _WINDOW]) for i in starts]
    return np.stack(rows) if rows else np.zeros((0, _BANDS), np.int8)
