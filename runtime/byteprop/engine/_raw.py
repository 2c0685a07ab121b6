"""The checked way into the C library; the only module that imports `_kernels`.

Arguments are checked here for dtype, shape and contiguity, because C trusts them; statuses become
exceptions. Numbers that C and Python share come from the C headers through `const` and `consts`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from enum import IntEnum
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop._kernels import ffi, lib
from byteprop.errors import ArgumentError, ModelError

Bytes = bytes | bytearray | memoryview
UInt8s = npt.NDArray[np.uint8]

_ALIGNMENT = 64
_BYTES = ffi.typeof("uint8_t[]")
_INT8S = ffi.typeof("int8_t[]")
_INT32S = ffi.typeof("int32_t[]")
_from_buffer = ffi.from_buffer
_infer_batch = lib.bp_prepared_batch
_empty = np.empty
_uint8 = np.dtype(np.uint8)
_OK = 0
_STATE: int = lib.BP_KIND_STATE
_ROWS: int = lib.BP_KIND_ROWS


# --- constants and statuses ---


def const(name: str) -> int:
    """A constant of the public C headers, by its C name."""
    value = getattr(lib, name, None)
    if not isinstance(value, int):
        raise ArgumentError(f"name: expected a constant of the C headers, got {name!r}")
    return value


def consts(prefix: str) -> Mapping[str, int]:
    """All constants whose C names begin with prefix, without it: consts("BP_OP_")["RESCALE"]."""
    values = ((name, getattr(lib, name)) for name in dir(lib) if name.startswith(prefix))
    return {name[len(prefix) :]: value for name, value in values if isinstance(value, int)}


def _text(cdata: Any) -> str:
    return ffi.string(cdata).decode("ascii")


def status_name(status: int) -> str:
    """OK, E_ARG, ..."""
    return _text(lib.bp_status_name(status))


def status_text(status: int) -> str:
    """What a status means, one sentence without a full stop."""
    return _text(lib.bp_status_text(status))


Status = IntEnum(  # type: ignore[misc]  # the members are those of the C header
    "Status", [(status_name(i), i) for i in range(lib.bp_status_count())]
)


# --- ops ---


def op_name(code: int) -> str:
    """Name of the op with this code, such as "dense"; "op 77" for one that does not exist."""
    name = _text(lib.bp_op_name(code))
    return f"op {code}" if name == "?" else name


def op_code(name: str) -> int:
    """The code of an op in images."""
    for code in range(const("BP_MODEL_MAX_OP_CODES")):
        if op_name(code) == name:
            return code
    raise ArgumentError(f"name: expected an op of csrc/ops, got {name!r}")


def op_features() -> bytes:
    """A bit for the code of each op of this build, as an image's header has them."""
    mask = ffi.new(_BYTES, const("BP_MODEL_FEATURES_BYTES"))
    lib.bp_op_features(mask, len(mask))
    return bytes(ffi.buffer(mask))


# --- instruction sets ---


def isa_name() -> str:
    """The instruction set whose primitives are in use, or "portable"."""
    return _text(lib.bp_isa_name())


def isa_names() -> list[str]:
    """All instruction sets that isa_select takes on this CPU, best first, "portable" last."""
    names: list[str] = []
    while (name := lib.bp_isa_available(len(names))) != ffi.NULL:
        names.append(_text(name))
    return names


def isa_select(name: str) -> bool:
    """Uses the primitives of that instruction set from now on; False when they cannot be had."""
    return lib.bp_isa_select(name.encode()) == _OK


def _isa_from_environment() -> None:
    wanted = os.environ.get("BYTEPROP_ISA")
    if wanted and not isa_select(wanted):
        raise ArgumentError(
            f"BYTEPROP_ISA: {wanted!r} is not available on this CPU; unset it or use 'portable'"
        )


_isa_from_environment()


# --- the link ---


def request_name(number: int) -> str:
    """Name of a request, as in byteprop/link.h; "?" for a type that has no handler."""
    return _text(lib.bp_request_name(number))


def request_is_pure(number: int) -> bool:
    """True when the board may execute a request of this type again."""
    return bool(lib.bp_request_is_pure(number))


def crc32(data: Bytes, crc: int = 0) -> int:
    """zlib's CRC-32, continued from crc."""
    return lib.bp_crc32(crc, _from_buffer(_BYTES, data), len(data))


def cobs_encode(data: Bytes) -> bytes:
    out = ffi.new(_BYTES, len(data) + len(data) // 254 + 1)
    n = lib.bp_cobs_encode(out, _from_buffer(_BYTES, data), len(data))
    return bytes(ffi.buffer(out, n))


def cobs_decode(data: Bytes) -> bytes | None:
    """None when data is not COBS."""
    out = ffi.new(_BYTES, len(data) + 1)
    n = lib.bp_cobs_decode(out, _from_buffer(_BYTES, data), len(data))
    return None if n == 0xFFFFFFFF else bytes(ffi.buffer(out, n))


# --- kernels, for tests and for making models ---


def _array(name: str, value: Any, dtype: type[np.generic], ndim: int) -> npt.NDArray[Any]:
    """value itself when it is a C-contiguous array of that dtype and rank; else an error."""
    if not isinstance(value, np.ndarray) or value.dtype != dtype or value.ndim != ndim:
        got = f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else repr(type(value))
        raise ArgumentError(f"{name}: expected {np.dtype(dtype)} of rank {ndim}, got {got}")
    return np.ascontiguousarray(value)


def _check(name: str, value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise ArgumentError(f"{name}: expected {low} .. {high}, got {value}")
    return int(value)


def _check_scaling(mult_q31: int, lshift: int) -> None:
    if mult_q31 != 0:
        _check("mult_q31", mult_q31, 1 << 30, (1 << 31) - 1)
    _check("lshift", lshift, -31, 30)


def logistic_s16(x: int) -> int:
    """The logistic function of a Q3.12 number, in Q0.15."""
    return lib.bp_logistic_s16(_check("x", x, -(1 << 15), (1 << 15) - 1))


def tanh_s16(x: int, integer_bits: int) -> int:
    """The hyperbolic tangent of a number with 0 to 6 integer bits, in Q0.15."""
    _check("integer_bits", integer_bits, 0, 6)
    return lib.bp_tanh_s16(_check("x", x, -(1 << 15), (1 << 15) - 1), integer_bits)


def requant(x: int, mult_q31: int, lshift: int) -> int:
    """x * mult_q31 * 2^(lshift - 31), rounded twice."""
    _check_scaling(mult_q31, lshift)
    return lib.bp_requant(_check("x", x, -(1 << 31), (1 << 31) - 1), mult_q31, lshift)


def _padded_rows(weights: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    n_out, n_in = weights.shape
    rows = np.zeros((n_out, -(-n_in // 4) * 4), np.int8)
    rows[:, :n_in] = weights
    return rows


def dense_s8(
    x: npt.NDArray[np.int8],
    weights: npt.NDArray[np.int8],
    bias_folded: npt.NDArray[np.int32],
    mult: npt.NDArray[np.int32],
    lshift: npt.NDArray[np.int8],
    y_zp: int,
    y_min: int,
    y_max: int,
) -> npt.NDArray[np.int8]:
    """One dense layer of one sample: x [n_in], weights [n_out, n_in], bias_folded [n_out] (input
    zero point folded in), mult and lshift [1] or [n_out]. Returns [n_out]."""
    x = _array("x", x, np.int8, 1)
    weights = _array("weights", weights, np.int8, 2)
    bias_folded = _array("bias_folded", bias_folded, np.int32, 1)
    mult, lshift = _array("mult", mult, np.int32, 1), _array("lshift", lshift, np.int8, 1)
    n_out, n_in = weights.shape
    _check("n_in", n_in, 1, const("BP_DENSE_MAX_INPUTS"))
    _check("n_out", n_out, 1, const("BP_DENSE_MAX_OUTPUTS"))
    if x.shape != (n_in,) or bias_folded.shape != (n_out,) or mult.shape != lshift.shape:
        raise ArgumentError("x, bias_folded, mult, lshift: expected shapes that fit weights")
    if mult.shape not in ((1,), (n_out,)):
        raise ArgumentError(f"mult: expected shape (1,) or ({n_out},), got {mult.shape}")
    for m, s in zip(mult.tolist(), lshift.tolist(), strict=True):
        _check_scaling(m, s)
    rows = _padded_rows(weights)
    fields = {
        "weights": _from_buffer(_BYTES, rows),
        "bias": _from_buffer(_BYTES, bias_folded),
        "mult_q31": _from_buffer(_BYTES, mult),
        "lshift": _from_buffer(_BYTES, lshift),
        "n_in": n_in,
        "n_out": n_out,
        "row_stride": rows.shape[1],
        "per_channel": int(len(mult) == n_out and n_out > 1),
        "y_zp": _check("y_zp", y_zp, -128, 127),
        "y_min": _check("y_min", y_min, -128, 127),
        "y_max": _check("y_max", y_max, y_min, 127),
    }
    y = np.empty(n_out, np.int8)
    layer = ffi.new("bp_dense_s8_t *", fields)
    lib.bp_dense_s8(_from_buffer(_INT8S, y), _from_buffer(_INT8S, x), layer)
    return y


def rescale_8(
    x: npt.NDArray[Any],
    y_dtype: npt.DTypeLike,
    mult_q31: int,
    lshift: int,
    x_zp: int,
    y_zp: int,
    y_min: int,
    y_max: int,
) -> npt.NDArray[Any]:
    """Element-wise rescaling of int8 or uint8 to y_dtype, int8 or uint8."""
    _check_scaling(mult_q31, lshift)
    x_unsigned = isinstance(x, np.ndarray) and x.dtype == np.uint8
    y_unsigned = np.dtype(y_dtype) == np.uint8
    x = _array("x", x, np.uint8 if x_unsigned else np.int8, 1)
    low = 0 if y_unsigned else -128
    fields = {
        "mult_q31": mult_q31,
        "lshift": lshift,
        "x_unsigned": int(x_unsigned),
        "y_unsigned": int(y_unsigned),
        "x_zp": _check("x_zp", x_zp, -128, 255),
        "y_zp": _check("y_zp", y_zp, -128, 255),
        "y_min": _check("y_min", y_min, low, low + 255),
        "y_max": _check("y_max", y_max, y_min, low + 255),
    }
    y = np.empty(x.shape, np.uint8 if y_unsigned else np.int8)
    lib.bp_rescale_8(
        _from_buffer(_BYTES, y), _from_buffer(_BYTES, x), len(x), ffi.new("bp_rescale_t *", fields)
    )
    return y


def softmax_exp_table(mult_q31: int, lshift: int, diff_min: int) -> npt.NDArray[np.int32]:
    """int32 [256]: exp of minus each difference to the largest logit, in Q0.31."""
    _check_scaling(mult_q31, lshift)
    _check("diff_min", diff_min, -(1 << 31), 0)
    table = np.empty(256, np.int32)
    lib.bp_softmax_exp_table(_from_buffer(_INT32S, table), mult_q31, lshift, diff_min)
    return table


def softmax_s8(x: npt.NDArray[np.int8], exp_q31: npt.NDArray[np.int32]) -> npt.NDArray[np.int8]:
    """Softmax of one row of int8 logits with a table of softmax_exp_table."""
    x = _array("x", x, np.int8, 1)
    exp_q31 = _array("exp_q31", exp_q31, np.int32, 1)
    _check("elements of x", len(x), 1, const("BP_SOFTMAX_MAX_ELEMS"))
    if exp_q31.shape != (256,) or exp_q31[0] != (1 << 31) - 1 or (exp_q31 < 0).any():
        raise ArgumentError("exp_q31: expected a table made by softmax_exp_table")
    y = np.empty(x.shape, np.int8)
    lib.bp_softmax_s8(
        _from_buffer(_INT8S, y), _from_buffer(_INT8S, x), _from_buffer(_BYTES, exp_q31), len(x)
    )
    return y


# --- the engine ---


def _aligned(n_bytes: int) -> UInt8s:
    """Bytes whose address suits every kernel."""
    buffer = np.empty(n_bytes + _ALIGNMENT, np.uint8)
    begin = -buffer.ctypes.data % _ALIGNMENT
    return buffer[begin : begin + n_bytes]


class _Arenas(threading.local):
    """One arena a thread, so that threads can run one model at the same time without a lock."""

    def __init__(self, prepared: Any) -> None:
        self.arena = _from_buffer(_BYTES, _aligned(lib.bp_prepared_arena_bytes(prepared)))


class _Steps:
    """The one arena of a model with state. lock: held while it is used."""

    def __init__(self, prepared: Any) -> None:
        self.bytes = _aligned(lib.bp_prepared_arena_bytes(prepared))
        self.arena = _from_buffer(_BYTES, self.bytes)
        self.lock = threading.Lock()


def _refusal(status: int, image: UInt8s) -> str:
    """Why the checked reader refused an image."""
    text = f"{status_text(status)} ({status_name(status)})"
    if status_name(status) != "E_VERSION":
        return text
    at = const("BP_HEADER_VERSION")
    got = int.from_bytes(image[at : at + 2].tobytes(), "little")
    return (
        f"{text}: expected version {const('BP_MODEL_VERSION')}, got {got}; make the image again "
        "from its .tflite file: byteprop convert MODEL.tflite -o MODEL.bpm"
    )


class Engine:
    """A model image opened by the C library. Threads may share it."""

    def __init__(self, image: Bytes) -> None:
        """Raises ModelError when the checked reader refuses the image."""
        data = np.frombuffer(image, np.uint8)
        self.image = _aligned(data.size)
        self.image[:] = data
        self._model = ffi.new("bp_model_t *")
        status = lib.bp_model_open(self._model, _from_buffer(_BYTES, self.image), data.size)
        if status != _OK:
            raise ModelError(_refusal(status, data))
        self.arena_bytes: int = self._model.arena_bytes
        self.crc32: int = self._model.crc32
        self.input_bytes = lib.bp_infer_input_bytes(self._model)
        self.output_bytes = lib.bp_infer_output_bytes(self._model)
        self.n_ops: int = self._model.n_ops
        self._prepared = _from_buffer(_BYTES, _aligned(lib.bp_prepare(ffi.NULL, self._model)))
        lib.bp_prepare(self._prepared, self._model)
        spans = self._find_states()
        self._states = list(spans.values())
        self.states = tuple((t, s.stop - s.start) for t, s in spans.items())  # tensor index, bytes
        self.state_bytes = sum(n for _, n in self.states)
        self._steps = _Steps(self._prepared) if spans else None
        self._arenas = self._steps or _Arenas(self._prepared)
        self.reset()

    @property
    def n_prepared_ops(self) -> int:
        """Ops that run from copies of their weights, in the order of this CPU."""
        return int(lib.bp_prepared_ops(self._prepared))

    def reset(self) -> None:
        """Sets the state, if the model has some, to what it is before the first inference."""
        if self._steps is not None:
            with self._steps.lock:
                lib.bp_infer_reset(self._model, self._steps.arena)

    def get_state(self) -> bytes:
        """All tensors of state, one after the other; state_bytes of them."""
        if self._steps is None:
            return b""
        with self._steps.lock:
            return b"".join(self._steps.bytes[span].tobytes() for span in self._states)

    def set_state(self, state: Bytes) -> None:
        """As get_state returned it."""
        if len(state) != self.state_bytes:
            raise ArgumentError(f"state: expected {self.state_bytes} bytes, got {len(state)}")
        if self._steps is None:
            return
        left = np.frombuffer(state, np.uint8)
        with self._steps.lock:
            for span in self._states:
                n = span.stop - span.start
                self._steps.bytes[span], left = left[:n], left[n:]

    def run(self, x: UInt8s) -> UInt8s:
        """y uint8 [n, output_bytes] of x uint8 [n, input_bytes], C-contiguous. Of a model with
        state, samples are steps in this order."""
        if self._steps is not None:
            with self._steps.lock:
                return self._run(x)
        return self._run(x)

    def _run(self, x: UInt8s) -> UInt8s:
        self._check_samples(x)
        n = len(x)
        y: UInt8s = _empty((n, self.output_bytes), _uint8)
        _infer_batch(
            _from_buffer(_BYTES, y), _from_buffer(_BYTES, x), n, self._prepared, self._arenas.arena
        )
        return y

    def _check_samples(self, x: UInt8s) -> None:
        if x.dtype != _uint8 or x.shape[1:] != (self.input_bytes,) or not x.flags.c_contiguous:
            raise ArgumentError(
                f"x: expected C-contiguous uint8 [n, {self.input_bytes}], "
                f"got {x.dtype} {list(x.shape)} with strides {list(x.strides)}"
            )

    def runner(
        self,
        x_dtype: np.dtype[Any],
        x_tail: tuple[int, ...],
        y_dtype: np.dtype[Any],
        y_tail: tuple[int, ...],
    ) -> Callable[[Any], npt.NDArray[Any] | None]:
        """A function from x [n, *x_tail] to y [n, *y_tail], for one input and one output of 8 bits.
        It answers None, and has done nothing, when x is not a C-contiguous array of that kind."""
        if prod(x_tail) != self.input_bytes or prod(y_tail) != self.output_bytes:
            raise ArgumentError("x_tail, y_tail: expected the sizes of the input and of the output")
        prepared, arenas, from_buffer = self._prepared, self._arenas, _from_buffer
        one_x, one_y = (1, *x_tail), (1, *y_tail)

        # One sample takes a microsecond, so what it looks up is in local variables. The engine is
        # among them because C points into its image and its copies.
        def run(x: Any, _engine: Engine = self) -> npt.NDArray[Any] | None:
            if type(x) is not np.ndarray or x.dtype is not x_dtype:
                return None
            shape = x.shape
            if shape == one_x:
                n, y = 1, _empty(one_y, y_dtype)
            elif shape and shape[1:] == x_tail:
                n = shape[0]
                y = _empty((n, *y_tail), y_dtype)
            else:
                return None
            try:
                data = from_buffer(_BYTES, x)
            except (ValueError, BufferError):  # not C-contiguous
                return None
            _infer_batch(from_buffer(_BYTES, y), data, n, prepared, arenas.arena)
            return y

        return run

    def run_op(self, index: int, x: Bytes) -> bytes:
        """Op index alone: the bytes of all its outputs from those of all its inputs."""
        _check("index", index, 0, self.n_ops - 1)
        op = ffi.new("bp_op_t *")
        lib.bp_model_op(op, self._model, index)
        inputs = [self._span(lib.bp_op_input(op, i)) for i in range(op.n_inputs)]
        outputs = [self._span(lib.bp_op_output(op, i)) for i in range(op.n_outputs)]
        expected = sum(span.stop - span.start for span in inputs)
        if len(x) != expected:
            raise ArgumentError(f"x: expected {expected} bytes, got {len(x)}")
        arena = _aligned(self.arena_bytes)
        left = np.frombuffer(x, np.uint8)
        for span in inputs:
            n = span.stop - span.start
            arena[span], left = left[:n], left[n:]
        lib.bp_infer_op(self._model, _from_buffer(_BYTES, arena), index)
        return b"".join(arena[span].tobytes() for span in outputs)

    def run_until(self, op_index: int, x: UInt8s) -> UInt8s:
        """What op_index reads first, uint8 [n, bytes], of samples uint8 [n, input_bytes]."""
        _check("op_index", op_index, 0, self.n_ops - 1)
        self._check_samples(x)
        op = ffi.new("bp_op_t *")
        lib.bp_model_op(op, self._model, op_index)
        span = self._span(lib.bp_op_input(op, 0))
        rows = np.empty((len(x), span.stop - span.start), np.uint8)
        arena = _aligned(self.arena_bytes)
        memory = _from_buffer(_BYTES, arena)
        for row, sample in zip(rows, x, strict=True):
            lib.bp_infer_put_inputs(memory, _from_buffer(_BYTES, sample), self._model)
            for index in range(op_index):
                lib.bp_infer_op(self._model, memory, index)
            row[:] = arena[span]
        return rows

    def _find_states(self) -> dict[int, slice]:
        """The bytes of the arena that each tensor of state has."""
        found, tensor = {}, ffi.new("bp_tensor_t *")
        for t in range(self._model.n_tensors):
            lib.bp_model_tensor(tensor, self._model, t)
            if tensor.kind == _STATE:
                found[t] = slice(tensor.offset, tensor.offset + tensor.elems)
        return found

    def feeding(self) -> Feeding:
        """For a sample of a model that is fed row by row."""
        if not lib.bp_infer_is_fed(self._model):
            raise ArgumentError(
                "rows: expected a model that is fed row by row; Model.with_rows() makes one"
            )
        return Feeding(self)

    def _span(self, tensor_index: int) -> slice:
        """The bytes of the arena that a tensor has."""
        tensor = ffi.new("bp_tensor_t *")
        lib.bp_model_tensor(tensor, self._model, tensor_index)
        if tensor.kind == _ROWS:
            raise ArgumentError(f"tensor {tensor_index}: its rows come one by one")
        return slice(tensor.offset, tensor.offset + tensor.elems)


class Feeding:
    """A sample of a model that is fed row by row, as far as it has come. For one thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._steps = engine._steps or _Steps(engine._prepared)
        self._fed = 0

    def feed(self, x: UInt8s) -> UInt8s | None:
        """Takes the next bytes of the input, uint8 [n]; the outputs, uint8 [output_bytes], once it
        is complete. The bytes after that begin another sample."""
        engine, arena = self._engine, self._steps.arena
        _check("bytes of x", x.size, 0, engine.input_bytes - self._fed)
        data = _array("x", x, np.uint8, 1)
        with self._steps.lock:
            self._fed = lib.bp_infer_feed(
                engine._model, arena, self._fed, _from_buffer(_BYTES, data), data.size
            )
            if self._fed < engine.input_bytes:
                return None
            self._fed = 0
            for index in range(engine.n_ops):
                lib.bp_infer_op(engine._model, arena, index)
            y: UInt8s = np.empty(engine.output_bytes, np.uint8)
            lib.bp_infer_get_outputs(_from_buffer(_BYTES, y), arena, engine._model)
        return y
