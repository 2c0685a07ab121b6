"""C source that takes a sensor's integers to a normalised input's, without floating point."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from byteprop.graph import DType, Normalization, Tensor
from byteprop.graph.quantization import limits

# Values come as int32 with so many fraction bits at most.
MAX_FRACTION_BITS = 24
_INT32_LIMIT = 1 << 31
_Q30 = 1 << 30

_TEMPLATE = """
/* A sensor's integer to the integer of {words}. What is read is value * 2^-fraction_bits
 * in the unit of the samples that the model learnt from: counts of a converter have 0 fraction
 * bits, a temperature in sixteenths of a degree has 4; {max_bits} are the most.
 * It is the integer that `predict` and TensorFlow Lite get from the same number in float32 wherever
 * float32 computes without rounding: with measured constants, for numbers of up to 24 bits.
 * Elsewhere the two differ by one step at most, near the middle between two integers, as long as
 * float32 holds the numbers to half a step. */
#define {upper}_FEATURES {n}
static inline {type} {name}_quantize(uint32_t feature, int32_t value, uint8_t fraction_bits) {{
    /* Of each feature: sub * 2^sub_bits; multiplier / 2^shift integers per unit. */
    static const struct {{
        int32_t sub;
        int32_t multiplier;
        uint8_t sub_bits;
        uint8_t shift;
    }} features[{n}] = {{
{rows}
    }};
    const uint32_t at = feature % {n};
    int64_t difference, size;
    int bits = features[at].sub_bits > fraction_bits ? features[at].sub_bits : fraction_bits;
    int shift, code;
    difference = (int64_t)value * ((int64_t)1 << (bits - fraction_bits)) -
                 (int64_t)features[at].sub * ((int64_t)1 << (bits - features[at].sub_bits));
    while (bits > 0 && (difference > (int64_t)1 << 32 || difference < -((int64_t)1 << 32))) {{
        difference /= 2;
        --bits;
    }}
    difference *= features[at].multiplier;
    shift = features[at].shift + bits;
    size = difference < 0 ? -difference : difference;
    size = shift > 62 ? 0 : (size + ((int64_t)1 << (shift - 1))) >> shift;
    code = size > 512 ? 512 : (int)size;
    code = {zero_point} + (difference < 0 ? -code : code);
    return ({type})(code < {low} ? {low} : code > {high} ? {high} : code);
}}
"""

_TOO_FAR = """
/* There is no {name}_quantize for integers: {why}. */
"""


@dataclass(frozen=True)
class _Feature:
    """Integers per unit are multiplier / 2^shift; sub is in units of 2^-sub_bits."""

    sub: int
    multiplier: int
    sub_bits: int
    shift: int


class _NoIntegerFormError(Exception):
    pass


def sensor_source(tensor: Tensor, normalization: Normalization, name: str) -> str:
    """The function `<name>_quantize`; a comment in its place where int32 cannot hold a feature."""
    pairs = zip(normalization.sub.tolist(), normalization.mul.tolist(), strict=True)
    features = []
    for index, (sub, mul) in enumerate(pairs):
        try:
            features.append(_feature(Fraction(sub), Fraction(mul) / Fraction(float(tensor.scale))))
        except _NoIntegerFormError as why:
            return _TOO_FAR.format(name=name, why=f"feature {index} {why}")
    low, high = limits(tensor.dtype)
    return _TEMPLATE.format(
        words="every feature" if len(features) == 1 else "a feature",
        max_bits=MAX_FRACTION_BITS,
        upper=name.upper(),
        name=name,
        type="int8_t" if tensor.dtype is DType.INT8 else "uint8_t",
        n=len(features),
        rows=",\n".join(
            f"        {{{f.sub}, {f.multiplier}, {f.sub_bits}, {f.shift}}}" for f in features
        ),
        zero_point=tensor.zero_point,
        low=low,
        high=high,
    )


def _feature(sub: Fraction, per_unit: Fraction) -> _Feature:
    if per_unit == 0:
        return _Feature(0, 0, 0, 1)
    fraction, exponent = math.frexp(float(per_unit))
    if exponent > MAX_FRACTION_BITS:
        raise _NoIntegerFormError(
            f"has steps below 2^-{MAX_FRACTION_BITS} of its unit; take a smaller unit"
        )
    multiplier = round(fraction * _Q30)
    if abs(multiplier) == _Q30:
        multiplier, exponent = multiplier // 2, exponent + 1
    if 30 - exponent > 255:
        multiplier, exponent = 0, 0
    fixed, bits = _fixed(sub)
    if abs(fixed * Fraction(1, 1 << bits) - sub) * abs(per_unit) > Fraction(1, 4):
        raise _NoIntegerFormError("has a mean that int32 does not hold; take another unit")
    return _Feature(fixed, multiplier, bits, 30 - exponent)


def _fixed(value: Fraction) -> tuple[int, int]:
    """The nearest int32 with the fewest fraction bits that hold the value, else with the most that
    fit."""
    bits = min(value.denominator.bit_length() - 1, MAX_FRACTION_BITS)
    while bits > 0 and abs(round(value * (1 << bits))) >= _INT32_LIMIT:
        bits -= 1
    fixed = round(value * (1 << bits))
    return max(-_INT32_LIMIT + 1, min(_INT32_LIMIT - 1, fixed)), bits
