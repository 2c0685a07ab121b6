"""Real numbers to integers and back: the C of the host beside the NumPy reference, bit for bit."""

from __future__ import annotations

import ctypes
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import byteprop
from byteprop import reference
from byteprop.engine import _raw
from byteprop.engine._raw_boundary import Encoder
from byteprop.errors import ArgumentError
from byteprop.graph import DType, Normalization, Tensor
from byteprop.graph.boundary import Boundary
from c_build import INCLUDES, ROOT, STRICT, compile_c, missing
from random_graphs import small_graph

Array = npt.NDArray[Any]
NATIVE = ROOT / "runtime/native"
LENGTHS = [0, 1, 7, 8, 9, 511, 512, 513, 1100]


def tensor(
    scale: float = 0.1, zero_point: int = 3, dtype: DType = DType.INT8, **more: Any
) -> Tensor:
    return Tensor("x", (1, 4), dtype, np.float32(scale), zero_point, **more)


def normalized(sub: list[float], mul: list[float], scale: float = 1 / 32) -> Tensor:
    constants = Normalization(np.float32(sub), np.float32(mul))
    return tensor(scale, 0, float_border=True, normalization=constants)


def halves(t: Tensor) -> Array:
    """Every half step of the range and beyond, with its nearest neighbours."""
    steps = np.arange(-300, 301) / np.float32(2) + np.float32(0)
    reals = (steps * np.float32(t.scale)).astype(np.float32)
    return np.concatenate(
        [reals, np.nextafter(reals, np.float32(np.inf)), np.nextafter(reals, np.float32(-np.inf))]
    )


def expected(t: Tensor, x: Array) -> Array:
    return reference.quantize(
        reference.normalize(x, t.normalization), t.scale, t.zero_point, t.dtype
    )


BYTES = st.sampled_from([DType.INT8, DType.UINT8])


@given(st.floats(2**-20, 2.0**20, width=32), st.integers(-128, 127), BYTES)
@settings(max_examples=60, deadline=None)
def test_half_steps_round_as_the_reference(scale: float, zero_point: int, dtype: DType) -> None:
    t = tensor(scale, zero_point + 128 * (dtype is DType.UINT8), dtype)
    x = halves(t)
    got = Boundary(t).quantize(x, "x")
    np.testing.assert_array_equal(got.integers, expected(t, x))
    assert got.integers.dtype == dtype.numpy


@pytest.mark.parametrize("n", LENGTHS)
def test_any_length(n: int) -> None:
    x = np.random.default_rng(n).normal(size=n).astype(np.float32) * 20
    for t in (tensor(), normalized([1, -2, 3, 0.5], [1, 2, 0.1, -1])):
        np.testing.assert_array_equal(Boundary(t).quantize(x, "x").integers, expected(t, x))


@given(st.integers(1, 4), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_normalising_rounds_each_step_to_float32(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 4 if n == 3 else n
    sub = (rng.normal(size=n) * 10.0 ** rng.integers(-3, 6, n)).astype(np.float32)
    mul = (1 / (np.abs(rng.normal(size=n)) * 10.0 ** rng.integers(-3, 6, n))).astype(np.float32)
    t = normalized(list(sub), list(mul))
    deviations = rng.normal(size=(300, 4)) * 2
    x = np.tile(sub, 4 // n) + deviations / np.tile(mul, 4 // n)
    for given_x in (x.astype(np.float32), x):
        got = Boundary(t).quantize(given_x, "x").integers
        np.testing.assert_array_equal(got, expected(t, given_x.astype(np.float32)))


@pytest.mark.parametrize(
    "x",
    [
        np.arange(-300, 300).reshape(-1, 4),
        np.arange(256, dtype=np.uint8).reshape(-1, 4),
        (np.arange(400) / 7).astype(np.float16).reshape(-1, 4),
        (np.arange(400) / 7).astype(">f4").reshape(-1, 4),
        (np.arange(800) / 7).reshape(-1, 8)[:, ::2],
        np.asfortranarray((np.arange(400) / 7).reshape(-1, 4)),
        np.array([[True, False, True, True]]),
        (np.arange(400) / 7).astype(np.longdouble).reshape(-1, 4),
    ],
    ids=lambda x: str(x.dtype),
)
def test_any_dtype_and_layout(x: Array) -> None:
    for t in (tensor(), normalized([5], [0.5])):
        got = Boundary(t).quantize(x, "x").integers
        assert got.shape == x.shape
        np.testing.assert_array_equal(got, expected(t, x.astype(np.float32)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [0, 5, 511, 512, 1023, 1599])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_first_value_that_is_not_finite_is_named(
    value: float, at: int, dtype: type[np.floating[Any]]
) -> None:
    x = np.zeros((400, 4), dtype)
    x.reshape(-1)[at:] = value
    for t in (tensor(), normalized([1, 2, 3, 4], [1, 1, 1, 1])):
        with pytest.raises(ArgumentError) as error:
            Boundary(t).quantize(x, "x[2]")
        assert str(error.value) == (
            f"x[2]: expected finite numbers, got {value} at position {(at // 4, at % 4)}"
        )


def test_what_float32_cannot_hold_is_not_finite() -> None:
    with pytest.raises(ArgumentError, match=r"got 1e\+39 at position \(0, 1\)"):
        Boundary(tensor()).quantize(np.array([[0, 1e39, 0, 0]]), "x")


def test_far_values_saturate_also_where_normalising_overflows() -> None:
    largest = float(np.finfo(np.float32).max)
    x = np.array([[largest, -largest, largest, -largest]], np.float32)
    t = normalized([-largest, largest, 0, -largest], [2, 2, -1e30, 0])
    got = Boundary(t).quantize(x, "x")
    assert got.integers.tolist() == [[127, -128, -128, 0]]
    # An infinite difference times 0 has no value.
    t = normalized([-largest] * 4, [0] * 4)
    assert Boundary(t).quantize(x, "x").integers.tolist() == [[-128, 0, -128, 0]]


def test_outside_counts_what_is_beyond_by_more_than_a_step() -> None:
    t = tensor(0.5, -128)  # 0 .. 127.5
    x = np.array([[-0.5, -0.51, 128.0, 128.1], [0, 127.5, 1e30, -1e30]], np.float32)
    assert Boundary(t).quantize(x, "x").outside == 4
    shifted = normalized([100], [1], scale=0.5)  # 36 .. 163.5
    assert Boundary(shifted).quantize(x, "x").outside == 8 - 4 + 1


def test_pixels_stand_for_the_whole_range() -> None:
    x = np.arange(256, dtype=np.uint8).reshape(-1, 4)
    for dtype, lowest in ((DType.INT8, -128), (DType.UINT8, 0)):
        t = tensor(1 / 255, lowest, dtype)
        got = Boundary(t).quantize(x, "x").integers.astype(np.int64)
        np.testing.assert_array_equal(got, x.astype(np.int64) + lowest)
    # The same bytes, said by a normalization, are real numbers like all others.
    t = Tensor(
        "x", (1, 4), DType.INT8, np.float32(1 / 256), -128, True,
        Normalization(np.zeros(1, np.float32), np.float32([1 / 256])),
    )  # fmt: skip
    assert not Boundary(t).takes_pixels
    got = Boundary(t).quantize(x, "x").integers.astype(np.int64)
    np.testing.assert_array_equal(got, x.astype(np.int64) - 128)


def test_encoder_refuses_other_dtypes() -> None:
    nothing = np.empty(0, np.float32)
    encoder = Encoder(0.1, 0, -128, nothing, nothing, takes_pixels=False)
    with pytest.raises(ArgumentError, match="expected float32 or float64, got uint8"):
        encoder.encode(np.zeros(4, np.uint8))


# --- predict in one call ---


@pytest.mark.parametrize("n", [0, 1, 31, 32, 33, 100])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predict_is_quantize_run_dequantize(n: int, dtype: type[np.floating[Any]]) -> None:
    model = byteprop.Model(small_graph())
    x = (np.random.default_rng(n).normal(size=(n, 5)) * 10).astype(dtype)
    source, target = model.graph.tensors[0], model.graph.tensors[3]
    q = reference.quantize(x.astype(np.float32), source.scale, source.zero_point, source.dtype)
    y = reference.dequantize(model.run(q), target.scale, target.zero_point)
    for same in (x, np.asfortranarray(x), *([list(x)] if n else [])):
        answer = model.predict(same)
        assert answer.dtype == np.float32
        np.testing.assert_array_equal(answer, y)


def test_predict_names_a_value_of_a_later_block() -> None:
    x = np.zeros((100, 5), np.float32)
    x[70, 2] = np.nan
    with pytest.raises(ArgumentError, match=r"x: expected .* got nan at position \(70, 2\)"):
        byteprop.Model(small_graph()).predict(x)


# --- every way to compile it ---


def library(tmp_path: Path, *flags: str) -> Any:
    """boundary.c as a shared library, without the inference that its predict calls."""
    (tmp_path / "none.c").write_text(
        "#include <byteprop/infer.h>\n#include <byteprop/prepared.h>\n"
        "uint32_t bp_infer_input_bytes(const bp_model_t *m) { (void)m; return 0; }\n"
        "uint32_t bp_infer_output_bytes(const bp_model_t *m) { (void)m; return 0; }\n"
        "void bp_prepared_batch(uint8_t *y, const uint8_t *x, uint32_t n, const uint8_t *p,\n"
        "                       uint8_t *a) { (void)y; (void)x; (void)n; (void)p; (void)a; }\n",
        encoding="utf-8",
    )
    sources = [str(NATIVE / "boundary.c"), "none.c"]
    compile_c(
        ["gcc", *STRICT, "-ffp-contract=off", *flags, *INCLUDES, "-shared", "-fPIC", *sources,
         "-o", "lib.so"],
        cwd=tmp_path,
    )  # fmt: skip
    return ctypes.CDLL(str(tmp_path / "lib.so"))


class _Boundary(ctypes.Structure):
    _fields_ = (
        ("scale", ctypes.c_float),
        ("zero_point", ctypes.c_int32),
        ("lowest", ctypes.c_int32),
        ("period", ctypes.c_uint32),
        ("sub", ctypes.c_void_p),
        ("mul", ctypes.c_void_p),
    )


@pytest.mark.parametrize(
    "flags", [("-O3", "-DBP_ISA_PORTABLE"), ("-O0",), ("-O2", "-march=native")]
)
def test_every_way_to_compile_it_gives_the_same_bytes(
    flags: tuple[str, ...], tmp_path: Path
) -> None:
    if reason := missing("gcc"):
        pytest.skip(reason)
    lib = library(tmp_path, *flags)
    rng = np.random.default_rng(4)
    sub, mul = (rng.normal(size=1024).astype(np.float32) for _ in range(2))
    for period, source in itertools.product((0, 1024), (np.float32, np.float64)):
        x = (rng.normal(size=3000) * 4).astype(source)
        boundary = _Boundary(0.03, 5, -128, period, sub.ctypes.data, mul.ctypes.data)
        y, found = np.empty(3000, np.uint8), (ctypes.c_uint64 * 2)()
        lib.bp_boundary_encode(
            y.ctypes.data_as(ctypes.c_void_p), x.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_uint64(3000), _raw.const(f"BP_BOUNDARY_{source.__name__.upper()}"),
            ctypes.byref(boundary), found,
        )  # fmt: skip
        ours = Encoder(0.03, 5, -128, sub[:period], mul[:period], takes_pixels=False).encode(x)
        assert (found[0], found[1]) == (ours.finite, ours.outside) == (3000, found[1])
        np.testing.assert_array_equal(y, ours.integers)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_it_compiles_without_warnings(compiler: str, tmp_path: Path) -> None:
    if reason := missing(compiler):
        pytest.skip(reason)
    compile_c(
        [compiler, *STRICT, "-O2", *INCLUDES, "-c", str(NATIVE / "boundary.c"), "-o", "b.o"],
        cwd=tmp_path,
    )
