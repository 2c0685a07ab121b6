"""A model image as a C header, for programs that link the C library themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

from byteprop.errors import ArgumentError
from byteprop.graph import Tensor
from byteprop.graph.quantization import quantize_multiplier
from byteprop.image import ArenaPlace, Layout, layout, model_defines
from byteprop.image.sensor_source import sensor_source

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_BYTES_PER_LINE = 16

_TEMPLATE = """\
/* {title}
 * Made by byteprop; do not edit.
 *
{borders}
 *
 * The C library has what this model needs, and no other ops, when it is compiled with
 *   {defines}
 *
 * Include it in one C or C++ file, which then holds the model. Others that want the names alone
 * define {upper}_DECLARE_ONLY before they include it. */
#ifndef {guard}
#define {guard}

#include <byteprop/config.h>
#include <stdint.h>

{macros}
{sensors}
#ifdef __cplusplus
extern "C" {{
#endif

extern const uint8_t {prefix}_image[];
extern const uint32_t {prefix}_image_bytes;

#ifndef {upper}_DECLARE_ONLY
#if defined(__GNUC__)
#define {upper}_ALIGNED __attribute__((aligned(16)))
#elif defined(__cplusplus) && __cplusplus >= 201103L
#define {upper}_ALIGNED alignas(16)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define {upper}_ALIGNED _Alignas(16)
#else
#define {upper}_ALIGNED /* put the image at a multiple of 4 */
#endif

const uint32_t {prefix}_image_bytes = {image_bytes};
{upper}_ALIGNED const uint8_t {prefix}_image[{image_bytes}] BP_ROM_DATA = {{
{bytes}
}};
#endif

#ifdef __cplusplus
}}
#endif
#endif
"""


def header(image: bytes, *, prefix: str = "bp_model") -> str:
    """C source that defines `<prefix>_image`, `<prefix>_image_bytes`, and macros for the size
    of the arena and the offsets of inputs and outputs in it, under the upper-case prefix. An input
    that is fed row by row has no offset, but bytes per row."""
    if not _IDENTIFIER.match(prefix):
        raise ArgumentError(f"prefix: expected a C identifier, got {prefix!r}")
    plan = layout(image)
    upper = prefix.upper()
    return _TEMPLATE.format(
        title=f"Model image of {len(image)} bytes.",
        borders="\n".join(_comments(plan)),
        defines=" ".join(f"-D{name}={value}" for name, value in model_defines(image).items()),
        guard=f"{upper}_IMAGE_H",
        upper=upper,
        prefix=prefix,
        macros="\n".join(f"#define {upper}_{name} {value}" for name, value in _macros(plan)),
        sensors="".join(_sensors(plan, prefix)),
        image_bytes=len(image),
        bytes=_rows(image),
    )


def _comments(plan: Layout) -> Iterator[str]:
    for kind, places in _kinds(plan):
        for name, place in zip(_numbered(kind, places), places, strict=True):
            t = place.tensor
            shape = "x".join(map(str, t.shape)) or "scalar"
            shape += ", fed row by row" if t.rows else ""
            real = "real" if t.normalization is None else "(real - sub) * mul"
            yield (
                f" * {name.lower()}: {t.dtype.name.lower()} {shape}, "
                f"{real} = {float(t.scale):.9g} * (quantised - {_signed(t.zero_point)})"
            )


def _sensors(plan: Layout, prefix: str) -> Iterator[str]:
    """For each input that is normalised: from a sensor's integers to the model's."""
    places = plan.inputs
    for name, place in zip(_numbered("INPUT", places), places, strict=True):
        if place.tensor.normalization is not None:
            yield sensor_source(
                place.tensor, place.tensor.normalization, f"{prefix}_{name.lower()}"
            )


def _macros(plan: Layout) -> Iterator[tuple[str, int]]:
    """SCALE_Q31 and SCALE_LSHIFT: the scale is SCALE_Q31 * 2^(SCALE_LSHIFT - 31)."""
    yield "ARENA_BYTES", plan.arena_bytes
    for kind, places in _kinds(plan):
        for name, place in zip(_numbered(kind, places), places, strict=True):
            scale = _scale(place.tensor)
            if place.tensor.rows:  # the library decides where they go
                yield f"{name}_ROW_BYTES", place.tensor.elems // place.tensor.shape[1]
            else:
                yield f"{name}_OFFSET", place.offset
            yield f"{name}_BYTES", place.tensor.elems
            yield f"{name}_ZERO_POINT", place.tensor.zero_point
            yield f"{name}_SCALE_Q31", scale[0]
            yield f"{name}_SCALE_LSHIFT", scale[1]


def _kinds(plan: Layout) -> tuple[tuple[str, tuple[ArenaPlace, ...]], ...]:
    return ("INPUT", plan.inputs), ("OUTPUT", plan.outputs)


def _numbered(kind: str, places: tuple[ArenaPlace, ...]) -> list[str]:
    """Numbers only where there are several."""
    return [kind] if len(places) == 1 else [f"{kind}{i}" for i in range(len(places))]


def _scale(tensor: Tensor) -> tuple[int, int]:
    return quantize_multiplier(float(tensor.scale))


def _signed(value: int) -> str:
    return f"({value})" if value < 0 else str(value)


def _rows(image: bytes) -> str:
    rows = (image[i : i + _BYTES_PER_LINE] for i in range(0, len(image), _BYTES_PER_LINE))
    return "\n".join("    " + " ".join(f"0x{byte:02x}," for byte in row) for row in rows)
