"""The checked way into training in C: what `_raw` is for inference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop._kernels import ffi, lib
from byteprop.engine import _raw
from byteprop.engine._raw import Bytes, UInt8s, status_name, status_text
from byteprop.errors import ArgumentError, TrainingError

_OK = 0
_BYTES = ffi.typeof("uint8_t[]")
MAX_LAYERS = _raw.const("BP_TRAIN_MAX_LAYERS")
MAX_RATE_SHIFT = 40
# The parts of a state block that do not depend on the network (csrc/train/state.h).
HEAD_BYTES = ffi.sizeof("bp_train_counters_t") + 3 * 4
RANGE_BYTES = 2 * 4

# Results as C lays them out: bp_train_result_t.
RESULT = np.dtype(
    {
        "names": ["loss", "predicted", "correct"],
        "formats": [np.uint64, np.uint16, np.uint8],
        "offsets": [
            ffi.offsetof("bp_train_result_t", name) for name in ("loss", "predicted", "correct")
        ],
        "itemsize": ffi.sizeof("bp_train_result_t"),
    }
)


@dataclass(frozen=True)
class Config:
    """bp_train_config_t. frozen: bit l stands for dense layer l; whatever is before the first layer
    that is trained is frozen with it. convs: how many convolutions, the last ones, are trained.
    in_flash: the image stays where it is, and the layers that are trained are copied to the end of
    the state. kept: samples whose features are kept, to learn from them again. rate_shift: rates
    are in 2^-(24 + rate_shift). autoencoder: the target is the input, whatever y is."""

    seed: int
    frozen: int = 0
    batch: int = 1
    window: int = 0
    nearest: bool = False
    residual: bool = True
    momentum_shift: int = 0
    in_flash: bool = False
    kept: int = 0
    rate_shift: int = 0
    autoencoder: bool = False
    convs: int = 0

    def pack(self) -> bytes:
        """The configuration as it crosses the wire."""
        return bytes(ffi.buffer(_config(self)))


@dataclass(frozen=True)
class Plan:
    """Bytes beyond the image: all, and the part that must survive."""

    memory_bytes: int
    state_bytes: int


@dataclass(frozen=True)
class Check:
    """Of the samples that are held out. loss: mean cross-entropy, in 1/256 bit. waited: checks
    since the least loss, 0 where this is the least. held: samples, of which so many are correct."""

    loss: int
    waited: int
    held: int
    correct: int


@dataclass(frozen=True)
class Counters:
    """bp_train_counters_t."""

    steps: int
    samples: int
    saturated_weights: int
    saturated_activations: int
    saturated_logits: int
    vanished: int
    rescales: int


def _config(config: Config) -> Any:
    flags = (0 if config.residual else _raw.const("BP_TRAIN_NO_RESIDUAL")) | (
        _raw.const("BP_TRAIN_NEAREST") if config.nearest else 0
    )
    flags |= _raw.const("BP_TRAIN_IN_FLASH") if config.in_flash else 0
    flags |= _raw.const("BP_TRAIN_AUTOENCODER") if config.autoencoder else 0
    fields = {
        "seed": _raw._check("seed", config.seed, 0, (1 << 32) - 1),
        "frozen": _raw._check("frozen", config.frozen, 0, (1 << 32) - 1),
        "batch": _raw._check("batch", config.batch, 1, 65535),
        "window": _raw._check("window", config.window, 0, 65535),
        "flags": flags,
        "momentum_shift": _raw._check("momentum_shift", config.momentum_shift, 0, 15),
        "kept": _raw._check("kept", config.kept, 0, 65535),
        "convs": _raw._check("convs", config.convs, 0, 255),
        "rate_shift": _raw._check("rate_shift", config.rate_shift, 0, MAX_RATE_SHIFT),
    }
    return ffi.new("bp_train_config_t *", fields)


def _raise(status: int, op: int | None = None) -> None:
    if status != _OK:
        where = "" if op is None else f"op {op}: "
        raise TrainingError(f"{where}{status_text(status)} ({status_name(status)})", op=op)


Image = Bytes | _raw.Engine
"""A model image, or one that is opened already."""


def _opened(image: Image) -> _raw.Engine:
    return image if isinstance(image, _raw.Engine) else _raw.Engine(image)


def plan(image: Image, config: Config) -> Plan:
    """Exact memory of training this image. TrainingError when it cannot be trained."""
    engine = _opened(image)
    memory, state, op = ffi.new("uint32_t *"), ffi.new("uint32_t *"), ffi.new("uint16_t *")
    status = lib.bp_train_plan(memory, state, op, engine._model, _config(config))
    _raise(status, op[0])
    return Plan(memory[0], state[0])


def draw(seed: int, step: int, layer: int, row: int) -> int:
    """One draw of the counter-based generator, 32 bits."""
    return int(lib.bp_train_draw(seed, step, layer, row))


class Trainer:
    """Training of one image, which it copies. Not for several threads at once."""

    def __init__(self, image: Image, config: Config, *, state: Bytes | None = None) -> None:
        """state: of a trainer with the same configuration, with its image of that moment."""
        self.config = config
        engine = _opened(image)
        self.plan = plan(engine, config)
        self._image = _raw._aligned(len(engine.image))
        self._image[:] = engine.image
        self._memory = _raw._aligned(self.plan.memory_bytes)
        self._arena = _raw._aligned(engine.arena_bytes)
        self._struct = ffi.new("uint64_t[]", -(-lib.bp_train_sizeof() // 8))
        self._t = ffi.cast("bp_train_t *", self._struct)
        status = lib.bp_train_open(
            self._t,
            ffi.from_buffer(_BYTES, self._image),
            len(self._image),
            _config(config),
            ffi.from_buffer(_BYTES, self._memory),
            len(self._memory),
            ffi.from_buffer(_BYTES, self._arena),
        )
        _raise(status)
        self.input_bytes, self.outputs = engine.input_bytes, engine.output_bytes
        if state is not None:
            self._resume(state)

    def _resume(self, state: Bytes) -> None:
        if len(state) != self.plan.state_bytes:
            raise ArgumentError(
                f"state: expected {self.plan.state_bytes} bytes for this model and configuration, "
                f"got {len(state)}"
            )
        self._memory[: len(state)] = np.frombuffer(state, np.uint8)
        _raise(lib.bp_train_resume(self._t))

    @property
    def image(self) -> bytes:
        """The model as trained so far, with its checksum renewed."""
        lib.bp_train_seal(self._t)
        whole = np.empty_like(self._image)
        lib.bp_train_read_image(ffi.from_buffer(_BYTES, whole), self._t, 0, len(whole))
        return whole.tobytes()

    @property
    def state(self) -> bytes:
        """Everything but the image that a resumed training needs to reach the same bits."""
        return self._memory[: self.plan.state_bytes].tobytes()

    @property
    def counters(self) -> Counters:
        counters = ffi.new("bp_train_counters_t *")
        lib.bp_train_counters(counters, self._t)
        return Counters(*(getattr(counters, f) for f in Counters.__dataclass_fields__))

    def run(
        self,
        x: UInt8s,
        y: npt.NDArray[Any],
        *,
        order: npt.NDArray[np.uint32] | None = None,
        lr_q24: npt.NDArray[np.uint32] | None = None,
    ) -> npt.NDArray[Any]:
        """Results [n] of the samples of x uint8 [m, input_bytes] that order names (all by default).
        y: class labels uint16 [m], or targets int32 [m, outputs] in units of s_y * 2^-16. With
        lr_q24 [n] it learns; without it evaluates."""
        _wanted("x", x, np.uint8, (len(x), self.input_bytes))
        labels = y.dtype == np.uint16
        _wanted("y", y, np.uint16 if labels else np.int32, (len(x), *y.shape[1:]))
        n = len(x) if order is None else len(order)
        if order is not None:
            _wanted("order", order, np.uint32, (n,))
            if n and order.max() >= len(x):
                raise ArgumentError(f"order: expected indices below {len(x)}, got {order.max()}")
        if lr_q24 is not None:
            _wanted("lr_q24", lr_q24, np.uint32, (n,))
        if not labels and y.shape[1:] != (self.outputs,):
            raise ArgumentError(f"y: expected targets [n, {self.outputs}], got {y.shape}")
        results = np.zeros(n, RESULT)
        status = lib.bp_train_run(
            self._t,
            ffi.cast("bp_train_result_t *", ffi.from_buffer(results)),
            ffi.from_buffer(_BYTES, x),
            ffi.from_buffer("uint16_t[]", y) if labels else ffi.NULL,
            ffi.NULL if labels or self.config.autoencoder else ffi.from_buffer("int32_t[]", y),
            ffi.NULL if order is None else ffi.from_buffer("uint32_t[]", order),
            ffi.NULL if lr_q24 is None else ffi.from_buffer("uint32_t[]", lr_q24),
            n,
        )
        _raise(status)
        return results

    def remember(self, x: UInt8s, label: int) -> None:
        """Keeps the features of one sample uint8 [input_bytes] under its label."""
        self._keep(lib.bp_train_remember, x, label)

    def rehearse(self, lr_q24: npt.NDArray[np.uint32]) -> npt.NDArray[Any]:
        """Learns from as many kept samples as there are rates; results [n]."""
        results = np.zeros(len(lr_q24), RESULT)
        pointer = ffi.cast("bp_train_result_t *", ffi.from_buffer(results))
        for i, rate in enumerate(lr_q24.tolist()):
            _raise(lib.bp_train_rehearse(self._t, pointer + i, rate))
        return results

    def hold(self, x: UInt8s, label: int) -> None:
        """Keeps the features of one sample as remember does, to check by and not to learn from."""
        self._keep(lib.bp_train_hold, x, label)

    def _keep(self, function: Any, x: UInt8s, label: int) -> None:
        _wanted("x", x, np.uint8, (self.input_bytes,))
        label = _raw._check("label", label, 0, 65535)
        _raise(function(self._t, ffi.from_buffer(_BYTES, x), label))

    def check(self) -> Check:
        """How good the model is for the samples that are held out."""
        found = ffi.new("bp_train_check_t *")
        _raise(lib.bp_train_check(self._t, found))
        return Check(*(getattr(found, f) for f in Check.__dataclass_fields__))

    def imprint(self, label: int) -> None:
        """Begins a class from what is kept of it and of the others."""
        _raise(lib.bp_train_imprint(self._t, _raw._check("label", label, 0, 65535)))

    def remove(self, label: int) -> None:
        """Takes a class out of use."""
        _raise(lib.bp_train_remove(self._t, _raw._check("label", label, 0, 65535)))

    def flush(self) -> None:
        """Does the update of a batch that is not full."""
        lib.bp_train_flush(self._t)


def _wanted(name: str, value: Any, dtype: Any, shape: tuple[int, ...]) -> None:
    if value.dtype != dtype or value.shape != shape or not value.flags.c_contiguous:
        raise ArgumentError(
            f"{name}: expected C-contiguous {np.dtype(dtype)} {list(shape)}, "
            f"got {value.dtype} {list(value.shape)}"
        )
