"""What a user gives to fit and evaluate, checked and made integers as the trainer takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from byteprop._boundary import Boundary
from byteprop._warn import warn
from byteprop.errors import ArgumentError
from byteprop.graph import Activation, Dense, Graph, Op, Rescale, Reshape, Softmax, Tensor

if TYPE_CHECKING:
    from byteprop.model import Model

Array = npt.NDArray[Any]

# The trainer saturates targets at 2^30 units of s_y * 2^-16.
_TARGET_LIMIT = float(1 << 30)
# The share of outliers among normalised values that nobody has to hear of.
_FEW_OUTLIERS = 0.01


@dataclass(frozen=True)
class Samples:
    """x: uint8 [n, input bytes]. y: labels uint16 [n], or targets int32 [n, outputs]."""

    x: npt.NDArray[np.uint8]
    y: Array

    def __len__(self) -> int:
        return len(self.x)

    def take(self, indices: Array) -> Samples:
        return Samples(np.ascontiguousarray(self.x[indices]), np.ascontiguousarray(self.y[indices]))


def has_classes(graph: Graph) -> bool:
    """True when the network ends in a softmax, so that it is trained on labels. A QUANTIZE of the
    probabilities, as in a model with uint8 outputs, may follow."""
    return isinstance(_last_op(graph), Softmax)


def scores(graph: Graph) -> Tensor:
    """The tensor that the loss is taken from: the output of the last dense layer."""
    op = _last_op(graph)
    if isinstance(op, Softmax):
        return graph.tensors[op.input]
    return graph.tensors[op.output if isinstance(op, Dense) else graph.outputs[0]]


def is_quantize(op: Op) -> bool:
    return isinstance(op, Rescale) and op.activation is Activation.NONE


def _last_op(graph: Graph) -> Op | None:
    """The op behind the model's first output that decides its values: no RESHAPE and no QUANTIZE
    at the very end."""
    producers = {op.output: op for op in graph.ops}
    op = producers.get(graph.outputs[0])
    if op is not None and is_quantize(op):
        op = producers.get(op.input)
    while isinstance(op, Reshape):
        op = producers.get(op.input)
    return op


def n_outputs(graph: Graph) -> int:
    return graph.tensors[graph.outputs[0]].elems


def encode(model: Model, x: Any, y: Any, *, names: tuple[str, str] = ("x", "y")) -> Samples:
    """Samples for a model; ArgumentError names what does not fit. Values that saturate are told by
    one TrainingWarning with their number."""
    inputs = encode_inputs(model, x, names[0])
    if has_classes(model.graph):
        answers: Array = labels_of(y, n_outputs(model.graph), names[1])
    else:
        answers = _targets(scores(model.graph), y, names[1])
    if len(inputs) != len(answers):
        raise ArgumentError(f"{names[1]}: wanted one a sample, {len(inputs)}, given {len(answers)}")
    return Samples(inputs, answers)


def encode_inputs(model: Model, x: Any, name: str = "x") -> npt.NDArray[np.uint8]:
    """uint8 [n, input bytes] of real inputs, or of pixels where the model takes them."""
    given = np.asarray(x)
    if len(given.shape) == 0 or len(given) == 0:
        raise ArgumentError(f"{name}: wanted at least one sample, given shape {given.shape}")
    rows, outside = model._ins_bytes(given, name)
    warn_outside(name, outside, given.size, model.graph.tensors[model.graph.inputs[0]])
    return rows


def warn_outside(name: str, n: int, size: int, tensor: Tensor) -> bool:
    """True when it warned. Of normalised values a few are expected to saturate."""
    few = 0 if tensor.normalization is None else size * _FEW_OUTLIERS
    if n <= few:
        return False
    low, high = Boundary(tensor).real_range
    after = "" if tensor.normalization is None else " after normalization"
    warn(f"{name}: {n} of {size} values lie outside {low:g} .. {high:g}{after} and saturate")
    return True


def labels_of(y: Any, classes: int, name: str = "y") -> npt.NDArray[np.uint16]:
    """Class numbers, checked."""
    given = np.asarray(y)
    if given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    if given.ndim != 1:
        hint = "; one-hot rows become numbers with y.argmax(1)" if given.ndim == 2 else ""
        raise ArgumentError(f"{name}: wanted labels of shape (N,), given {given.shape}{hint}")
    if given.dtype.kind not in "iufb":
        raise ArgumentError(f"{name}: wanted integers as labels, given dtype {given.dtype}")
    if given.dtype.kind == "f" and not np.array_equal(given, np.trunc(given)):
        at = int(np.flatnonzero(~(given == np.trunc(given)))[0])
        raise ArgumentError(
            f"{name}: wanted integers as labels, given {given[at]} at position {at}"
        )
    outside = np.flatnonzero((given < 0) | (given >= classes))
    if outside.size:
        at = int(outside[0])
        raise ArgumentError(
            f"{name}: wanted labels in 0..{classes - 1}, given {given[at]} at position {at}"
        )
    return given.astype(np.uint16)


def reals_of(y: Any, outputs: int, name: str = "y") -> npt.NDArray[np.float64]:
    """Target values [n, outputs], checked."""
    given = np.asarray(y)
    if given.dtype.kind not in "fiub":
        raise ArgumentError(f"{name}: wanted real numbers, given dtype {given.dtype}")
    if given.ndim == 1 and outputs == 1:
        given = given[:, np.newaxis]
    if given.ndim != 2 or given.shape[1] != outputs:
        raise ArgumentError(f"{name}: wanted shape (N, {outputs}), given {np.shape(y)}")
    reals = given.astype(np.float64)
    finite = np.isfinite(reals)
    if not finite.all():
        at = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise ArgumentError(f"{name}: wanted finite numbers, given {reals[at]} at position {at}")
    return reals


def _targets(tensor: Tensor, y: Any, name: str) -> npt.NDArray[np.int32]:
    """Units of s_y * 2^-16, without the zero point."""
    reals = reals_of(y, tensor.elems, name)
    warn_outside(name, Boundary(tensor).quantize(reals, name).outside, reals.size, tensor)
    units = np.floor(reals / float(tensor.scale) * 65536 + 0.5)
    targets: npt.NDArray[np.int32] = np.clip(units, -_TARGET_LIMIT, _TARGET_LIMIT).astype(np.int32)
    return targets
