"""What a user gives to fit and evaluate, checked and made integers as the trainer takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from byteprop.data.words import mapping_text, numbered
from byteprop.errors import ArgumentError
from byteprop.graph import Activation, Graph, Op, Tensor
from byteprop.graph.boundary import Boundary, real_range
from byteprop.ops import Dense, Rescale, Reshape, Softmax
from byteprop.support.warn import warn

if TYPE_CHECKING:
    from byteprop.training.target import TrainingTarget

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


def encode(
    model: TrainingTarget, x: Any, y: Any, *, names: tuple[str, str] = ("x", "y")
) -> Samples:
    """Samples for a model; ArgumentError names what does not fit. Values that saturate are
    reported by one TrainingWarning with their number."""
    inputs = encode_inputs(model, x, names[0])
    if y is None:
        return Samples(inputs, targets_of_inputs(model.graph, inputs, names[1]))
    if has_classes(model.graph):
        answers: Array = labels_of(y, n_outputs(model.graph), names[1])
    else:
        answers = _targets(scores(model.graph), y, names[1])
    if len(inputs) != len(answers):
        raise ArgumentError(
            f"{names[1]}: expected one per sample, {len(inputs)}, got {len(answers)}"
        )
    return Samples(inputs, answers)


def encode_inputs(model: TrainingTarget, x: Any, name: str = "x") -> npt.NDArray[np.uint8]:
    """uint8 [n, input bytes] of real inputs, or of pixels where the model takes them."""
    given = np.asarray(x)
    if len(given.shape) == 0 or len(given) == 0:
        raise ArgumentError(f"{name}: expected at least one sample, got shape {given.shape}")
    rows, outside = model.input_bytes_of(given, name)
    warn_outside(name, outside, given.size, model.graph.tensors[model.graph.inputs[0]])
    return rows


def warn_outside(name: str, n: int, size: int, tensor: Tensor) -> bool:
    """True when it warned. Of normalised values a few are expected to saturate."""
    few = 0 if tensor.normalization is None else size * _FEW_OUTLIERS
    if n <= few:
        return False
    warn(f"{name}: {outside_text(n, size, tensor)}")
    return True


def outside_text(n: int, size: int, tensor: Tensor) -> str:
    low, high = real_range(tensor)
    after = "" if tensor.normalization is None else " after normalization"
    return f"{n} of {size} values are outside {low:g} .. {high:g}{after} and saturate"


def are_labels(y: Any, outputs: int) -> bool:
    """Whether y names a class per sample of a network of so many outputs: whole numbers, booleans
    or words in one column, or one-hot rows."""
    given = _labels_array(y)
    if _is_one_hot(given, outputs):
        return True
    if given.ndim != 1 or outputs < 2:
        return False
    if given.dtype.kind == "f":
        return bool(np.array_equal(given, np.trunc(given)))
    return given.dtype.kind in "biuUS"


def labels_of(y: Any, classes: int, name: str = "y") -> npt.NDArray[np.uint16]:
    """Class numbers [n], checked. y: integers, whole floats, booleans or words, (N,) or (N, 1); or
    one-hot rows (N, classes). Words get numbers in sorted order, so all classes must be there."""
    given = _labels_array(y)
    if _is_one_hot(given, classes):
        hot: npt.NDArray[np.uint16] = given.argmax(axis=1).astype(np.uint16)
        return hot
    if given.ndim != 1:
        raise ArgumentError(
            f"{name}: expected labels of shape (N,), or rows (N, {classes}) with one 1 and else 0, "
            f"got {given.shape}{_not_one_hot(given, classes)}"
        )
    if given.dtype.kind in "US":
        try:
            codes, words = numbered(given)
        except ValueError as error:
            raise ArgumentError(f"{name}: {error}") from None
        check_classes(words, classes, name)
        return codes
    if given.dtype.kind not in "iufb":
        raise ArgumentError(f"{name}: expected labels, got dtype {given.dtype}")
    if given.dtype.kind == "f" and not np.array_equal(given, np.trunc(given)):
        at = int(np.flatnonzero(~(given == np.trunc(given)))[0])
        raise ArgumentError(
            f"{name}: expected integers as labels, got {given[at]} at position {at}"
        )
    outside = np.flatnonzero((given < 0) | (given >= classes))
    if outside.size:
        at = int(outside[0])
        raise ArgumentError(
            f"{name}: expected labels in 0..{classes - 1}, got {given[at]} at position {at}"
        )
    return given.astype(np.uint16)


def check_classes(words: tuple[str, ...], classes: int, name: str = "y") -> None:
    """Words say which class is which only when all of them are there."""
    if classes < 2:
        raise ArgumentError(
            f"{name}: expected numbers, as the model has one output, got words: "
            f"{mapping_text(words)}"
        )
    if len(words) != classes:
        raise ArgumentError(
            f"{name}: expected {classes} different labels, as the model has outputs, got "
            f"{len(words)}: {mapping_text(words)}; numbers 0..{classes - 1} may be any of them"
        )


def _labels_array(y: Any) -> Array:
    """A column as (N,), and words as an array of them."""
    given = np.asarray(y)
    if given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    if given.dtype.kind == "O" and all(isinstance(v, str) for v in given.flat):
        given = given.astype(np.str_)
    return given


def _is_one_hot(y: Array, classes: int) -> bool:
    if y.ndim != 2 or classes < 2 or y.shape[1] != classes or y.dtype.kind not in "biuf":
        return False
    return bool(_one_hot_rows(y).all())


def _one_hot_rows(y: Array) -> npt.NDArray[np.bool_]:
    rows: npt.NDArray[np.bool_] = ((y == 0) | (y == 1)).all(axis=1) & ((y == 1).sum(axis=1) == 1)
    return rows


def _not_one_hot(y: Array, classes: int) -> str:
    """Which row is at fault, where the shape is none."""
    if y.ndim != 2 or y.shape[1] != classes or y.dtype.kind not in "biuf":
        return ""
    at = int(np.flatnonzero(~_one_hot_rows(y))[0])
    return f" with {y[at].tolist()} at position {at}"


def reals_of(y: Any, outputs: int, name: str = "y") -> npt.NDArray[np.float64]:
    """Target values [n, outputs], checked."""
    given = np.asarray(y)
    if given.dtype.kind not in "fiub":
        raise ArgumentError(f"{name}: expected real numbers, got dtype {given.dtype}")
    if given.ndim == 1 and outputs == 1:
        given = given[:, np.newaxis]
    if given.ndim != 2 or given.shape[1] != outputs:
        raise ArgumentError(f"{name}: expected shape (N, {outputs}), got {np.shape(y)}")
    reals = given.astype(np.float64)
    finite = np.isfinite(reals)
    if not finite.all():
        at = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise ArgumentError(f"{name}: expected finite numbers, got {reals[at]} at position {at}")
    return reals


def targets_of_inputs(graph: Graph, x: Array, name: str = "y") -> npt.NDArray[np.int32]:
    """The inputs as targets: what figures are made from. The trainer makes its own, in integers."""
    source, target = graph.tensors[graph.inputs[0]], scores(graph)
    if has_classes(graph) or len(graph.inputs) != 1 or source.elems != target.elems:
        raise ArgumentError(
            f"{name}: expected a value per sample; None stands for the inputs, of a model without "
            "softmax that has as many outputs as inputs"
        )
    steps = x.view(source.dtype.numpy).astype(np.float64) - source.zero_point
    units = np.floor(steps * (float(source.scale) / float(target.scale)) * 65536 + 0.5)
    targets: npt.NDArray[np.int32] = np.clip(units, -_TARGET_LIMIT, _TARGET_LIMIT).astype(np.int32)
    return targets


def _targets(tensor: Tensor, y: Any, name: str) -> npt.NDArray[np.int32]:
    """Units of s_y * 2^-16, without the zero point."""
    reals = reals_of(y, tensor.elems, name)
    warn_outside(name, Boundary(tensor).quantize(reals, name).outside, reals.size, tensor)
    units = np.floor(reals / float(tensor.scale) * 65536 + 0.5)
    targets: npt.NDArray[np.int32] = np.clip(units, -_TARGET_LIMIT, _TARGET_LIMIT).astype(np.int32)
    return targets
