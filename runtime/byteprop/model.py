"""A model: load it, look at it, run it, save it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from byteprop import image
from byteprop.engine import _raw
from byteprop.errors import ArgumentError, ModelError
from byteprop.graph import Graph, Normalization, Tensor
from byteprop.graph.boundary import Boundary
from byteprop.image import export
from byteprop.image.summary import summary
from byteprop.importer import formats, load_tflite
from byteprop.ops import place, spec_of
from byteprop.support import files
from byteprop.training.masters import Masters

if TYPE_CHECKING:
    from byteprop.training.callbacks import Callback, EarlyStopping
    from byteprop.training.fit import Run
    from byteprop.training.history import History
    from byteprop.training.schedules import Schedule

Array = npt.NDArray[Any]
Arrays = Array | Sequence[Array]
PathLike = str | os.PathLike[str]

_MOST_FAST_BYTES = 1 << 17


@dataclass(frozen=True)
class TensorInfo:
    """An input or an output. real = scale * (quantised - zero_point). Where dtype is float32 the
    model converts at its boundary, and scale and zero point are those it converts with; an input
    with a normalization is normalised first."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float
    zero_point: int
    normalization: Normalization | None = None


@dataclass(frozen=True)
class LayerInfo:
    """One op; name, scale and zero point are those of its output."""

    index: int
    name: str
    op: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    activation: str
    scale: float
    zero_point: int
    macs: int
    weight_bytes: int


class BatchEngine(Protocol):
    """Runs batches of one model: uint8 [n, output bytes] from uint8 [n, input bytes]."""

    @property
    def arena_bytes(self) -> int: ...

    def run(self, x: Array) -> Array: ...


class Model:
    """A loaded model. Calls from several threads at once are allowed."""

    def __init__(
        self,
        graph: Graph,
        image_bytes: bytes | None = None,
        *,
        engine: BatchEngine | None = None,
    ) -> None:
        """image_bytes: the image that stands for the graph, when there is one already. engine: what
        runs the batches; the library on this machine by default, else for instance a board."""
        self._own_engine = engine is None
        self._adopt(graph, image_bytes, engine, None)

    def _adopt(
        self,
        graph: Graph,
        image_bytes: bytes | None,
        engine: BatchEngine | None,
        masters: tuple[Masters, ...] | None,
    ) -> None:
        """Becomes this model. masters: what training knows beyond the image."""
        self.graph = graph
        self.image = image.encode(graph) if image_bytes is None else image_bytes
        self._engine: BatchEngine = _raw.Engine(self.image) if engine is None else engine
        ins = tuple(_Port(graph.tensors[t], f"x[{i}]") for i, t in enumerate(graph.inputs))
        outs = tuple(_Port(graph.tensors[t], "y") for t in graph.outputs)
        if len(ins) == 1:
            ins[0].argument = "x"
        # Each in one assignment: a call from another thread sees the old model or the new one.
        self._ports = (self._engine, ins, outs)
        self._fast = _fast_path(self._engine, graph)
        self._fast_predict = _fast_predict(self._engine, graph)
        self._masters = masters
        self.inputs = tuple(port.info for port in ins)
        self.outputs = tuple(port.info for port in outs)
        self.layers = tuple(_layer(graph, i) for i in range(len(graph.ops)))
        self.macs = sum(layer.macs for layer in self.layers)

    @property
    def _opened(self) -> _raw.Engine:
        """The image, opened by the library of this computer."""
        return self._engine if isinstance(self._engine, _raw.Engine) else _raw.Engine(self.image)

    @property
    def arena_bytes(self) -> int:
        """RAM for activations, exactly as the device needs it."""
        return self._engine.arena_bytes

    def run(self, x: Arrays) -> Any:
        """The outputs of a batch, in the data types of the model file: one array, or a tuple when
        the model has several outputs. x: one array, or one array an input in a list or tuple.

        The first axis is the batch: shape (N, *inputs[i].shape[1:]). A file made for a fixed batch
        of B takes N in multiples of B.
        """
        y = self._fast(x)
        if y is not None:
            return y
        engine, ins, outs = self._ports
        columns = [
            port.from_file_dtype(given) for port, given in zip(ins, _split(ins, x), strict=True)
        ]
        return _run(engine, outs, columns, _Port.to_file_dtype)

    def predict(self, x: Arrays) -> Any:
        """As run, but with real numbers in the user's own units: x, of any real dtype, is
        normalised where the model says so and quantised by the scale of the input; the answer is
        float32. ArgumentError names the first value that is NaN or infinite."""
        return self._predict(x)[0]

    def _predict(self, x: Arrays) -> tuple[Any, int]:
        """The answers of predict, and how many values of x saturate."""
        found = self._fast_predict(x)
        if found is not None:
            return found
        engine, ins, outs = self._ports
        columns, outside = [], 0
        for port, given in zip(ins, _split(ins, x), strict=True):
            rows, n = port.from_reals(given)
            columns.append(rows)
            outside += n
        return _run(engine, outs, columns, _Port.to_reals), outside

    def fit(
        self,
        x: Any,
        y: Any,
        *,
        epochs: int = 1,
        batch_size: int = 1,
        learning_rate: float | None = None,
        schedule: str | Schedule = "linear",
        validation_data: tuple[Any, Any] | None = None,
        validation_split: float = 0.0,
        seed: int = 0,
        shuffle: bool = True,
        callbacks: Sequence[Callback] | Callback | None = (),
        early_stopping: int | EarlyStopping | None = None,
        freeze: Sequence[int | str] | int | str | None = (),
        rounding: str = "stochastic",
        residual: bool = True,
        momentum: float = 0.0,
        window: int | None = None,
        checkpoint: PathLike | None = None,
        checkpoint_every: int | None = None,
        resume: PathLike | None = None,
        verbose: bool = False,
    ) -> History:
        """Trains the network in integers; the model becomes the trained one. The same data and
        arguments give the same bits on every machine.

        x: real numbers as predict takes them. y: labels for a network that ends in a softmax
        (integers, whole floats, booleans, one-hot rows, or words, which get numbers in sorted
        order), else target values. learning_rate: of the first sample, see `schedule` for what
        follows ("linear", "constant", "cosine", "step", or an object with rates()); by default
        0.005 for classes (0.02 in a Sequential that normalises its inputs), times the batch up to
        32, and 0.01 for target values; less where inputs are large. A call that is refused changes
        nothing.
        validation_split: a share of the samples, drawn by seed, that is held out. freeze: layers
        that stay as they are, by index in `layers` or by name. rounding: "stochastic" or
        "nearest". residual: False trains the int8 weights alone, as the smallest boards do.
        momentum: 1 - 2^-k. window: updates between revisions of the scales; 0 keeps them, as is
        done with models from files. early_stopping: epochs without progress, or an EarlyStopping.

        checkpoint: a file that is renewed at the end of every epoch, and every checkpoint_every
        samples. resume: such a file; with the same data and arguments the training goes on from
        there to the same bits.

        Calls of run and predict from other threads see the model of the last finished epoch or of
        before; two trainings of one model at a time are not for threads.
        """
        from byteprop.training.fit import fit
        from byteprop.training.options import TrainOptions

        options = TrainOptions(
            epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, schedule=schedule,
            seed=seed, shuffle=shuffle, freeze=freeze, rounding=rounding, residual=residual,
            momentum=momentum, window=window,
        )  # fmt: skip
        return fit(
            self, x, y, options,
            validation_data=validation_data, validation_split=validation_split,
            callbacks=callbacks, early_stopping=early_stopping, checkpoint_path=checkpoint,
            checkpoint_every=checkpoint_every, resume=resume, verbose=verbose,
        )  # fmt: skip

    def evaluate(self, x: Any, y: Any) -> dict[str, float]:
        """loss and accuracy for labels, loss and rmse for target values, of what inference
        answers."""
        from byteprop.training import metrics

        return metrics.evaluate(self, x, y)

    def confusion_matrix(self, x: Any, y: Any) -> npt.NDArray[np.int64]:
        """How often each label got each answer: counts[label, answer]."""
        from byteprop.training import metrics

        return metrics.confusion_matrix(self, x, y)

    def get_weights(self) -> list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
        """Real weights [n_in, n_out] and biases [n_out] of the dense layers, in the order of Keras.
        After training at the 16 bits that it keeps, else those of the int8 weights. Those of the
        first layer are for inputs in the user's units, also where the model normalises them."""
        from byteprop.training import fit

        return fit.weights_of(self)

    def save_checkpoint(self, path: PathLike) -> None:
        """The training in progress, or the last one, as a file for fit(resume=...)."""
        from byteprop.training import checkpoint

        if self._run_in_progress is None:
            raise ArgumentError("save_checkpoint: this model has not been trained")
        checkpoint.save(path, self._run_in_progress.checkpoint())

    def summary(self) -> str:
        """A table of the layers with their totals."""
        return summary(self)

    def save(self, path: PathLike) -> None:
        """Writes the model; the suffix of the path chooses the format."""
        target = Path(path)
        writers: dict[str, Callable[[Model], bytes]] = {
            ".tflite": _tflite,
            ".bpm": lambda model: model.image,
            ".h": lambda model: export.header(image.without_names(model.image)).encode(),
        }
        if target.suffix not in writers:
            raise ArgumentError(
                f"path: expected a file name that ends in {' or '.join(writers)}, got {str(path)!r}"
            )
        files.write(target, writers[target.suffix](self))

    stop_training = False
    _own_engine = True
    _default_window = 0
    _run_in_progress: Run[Any] | None = None

    @property
    def _class_rate(self) -> float:
        """The default learning rate for classes, before it is lowered for large inputs."""
        return 0.005

    def _prepare_fit(self, x: Any, y: Any, seed: int) -> None:
        """Before training looks at the model."""

    def _become(self, graph: Graph, image_bytes: bytes, masters: tuple[Masters, ...]) -> None:
        self._adopt(graph, image_bytes, None, masters)

    def _snapshot(self) -> tuple[Graph, bytes, tuple[Masters, ...] | None]:
        return self.graph, self.image, self._masters

    def _restore(self, snapshot: tuple[Graph, bytes, tuple[Masters, ...] | None]) -> None:
        graph, image_bytes, masters = snapshot
        self._adopt(graph, image_bytes, None, masters)

    def _ins_bytes(self, x: Any, argument: str) -> tuple[Array, int]:
        """uint8 [n, input bytes] of real inputs, of a model with one input, and how many of them
        saturate."""
        ins = self._ports[1]
        if len(ins) != 1:
            raise ArgumentError(
                f"{argument}: expected a model with one input, got one with {len(ins)}"
            )
        return _Port(self.graph.tensors[self.graph.inputs[0]], argument).from_reals(x)

    def _reals_of_bytes(self, rows: Array) -> Array:
        """Real answers [n, outputs] to inputs as bytes, of a model with one output."""
        engine, _, outs = self._ports
        return outs[0].to_reals(engine.run(rows)).reshape(len(rows), -1)

    def __repr__(self) -> str:
        x, y = (
            " ".join(f"{info.dtype}{list(info.shape)}" for info in infos)
            for infos in (self.inputs, self.outputs)
        )
        return f"<byteprop.Model {x} -> {y}, {len(self.layers)} ops, {self.macs} MACs>"


def _run(
    engine: BatchEngine,
    outs: Sequence[_Port],
    columns: Sequence[Array],
    from_bytes: Callable[[_Port, Array], Array],
) -> Any:
    """Outputs of inputs as bytes [n, elems], one array per input."""
    sizes = [len(c) for c in columns]
    if len(set(sizes)) > 1:
        raise ArgumentError(f"x: expected as many samples in every input, got {sizes}")
    rows = columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)
    answer = engine.run(rows)
    outputs, start = [], 0
    for port in outs:
        part = np.ascontiguousarray(answer[:, start : start + port.elems])
        outputs.append(from_bytes(port, part))
        start += port.elems
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


def _split(ins: Sequence[_Port], x: Arrays) -> Sequence[Any]:
    if len(ins) == 1:
        return [x]
    if not isinstance(x, (list, tuple)) or len(x) != len(ins):
        given = f"{len(x)} items" if isinstance(x, (list, tuple)) else type(x).__name__
        names = ", ".join(port.info.name for port in ins)
        raise ArgumentError(
            f"x: expected a list or tuple of {len(ins)} arrays ({names}), got {given}"
        )
    return x


Predict = Callable[[Any], tuple[Array, int] | None]


def _fast_path(engine: BatchEngine, graph: Graph) -> Callable[[Any], Array | None]:
    """What answers the usual call in a microsecond or two; None sends the call the long way."""
    ends = _simple_ends(graph)
    if ends is None or not isinstance(engine, _raw.Engine):
        return lambda x: None
    x, y = ends
    if x.float_border:
        return _from_float32(_predictor(engine, x, y, to_reals=y.float_border))
    if y.float_border:
        return lambda x: None
    return engine.runner(x.dtype.numpy, x.shape[1:], y.dtype.numpy, y.shape[1:])


def _fast_predict(engine: BatchEngine, graph: Graph) -> Predict:
    """The same for predict."""
    ends = _simple_ends(graph)
    if ends is None or not isinstance(engine, _raw.Engine):
        return lambda x: None
    return _predictor(engine, *ends, to_reals=True)


def _simple_ends(graph: Graph) -> tuple[Tensor, Tensor] | None:
    """The only input and the only output, where both have one sample per row."""
    ends = [graph.tensors[t] for t in (*graph.inputs, *graph.outputs)]
    if len(ends) != 2 or any(t.shape[:1] != (1,) for t in ends):
        return None
    return ends[0], ends[1]


def _predictor(engine: _raw.Engine, x: Tensor, y: Tensor, *, to_reals: bool) -> Predict:
    """Its room for some samples is not taken for huge ones."""
    if engine.input_bytes + engine.output_bytes > _MOST_FAST_BYTES:
        return lambda x: None
    return Boundary(x).predictor(engine, y, to_reals=to_reals)


def _from_float32(predict: Predict) -> Callable[[Any], Array | None]:
    """What run is for a file with a float32 input: it takes that dtype alone."""

    def run(x: Any) -> Array | None:
        if type(x) is not np.ndarray or x.dtype != np.float32:
            return None
        found = predict(x)
        return None if found is None else found[0]

    return run


class _Port:
    """One input or output: checks, and conversion from and to bytes [n, elems]."""

    def __init__(self, tensor: Tensor, argument: str) -> None:
        self.argument = argument
        self.elems = tensor.elems
        self.info = TensorInfo(
            name=tensor.name,
            shape=tensor.shape,
            dtype=np.dtype(np.float32) if tensor.float_border else tensor.dtype.numpy,
            scale=float(tensor.scale),
            zero_point=tensor.zero_point,
            normalization=tensor.normalization,
        )
        self._integer = tensor.dtype.numpy
        self._float_border = tensor.float_border
        self._boundary = Boundary(tensor)

    def from_file_dtype(self, x: Any) -> Array:
        if not isinstance(x, np.ndarray):
            expected = self._expected(self.info.dtype)
            raise ArgumentError(f"{self.argument}: expected {expected}, got {type(x).__name__}")
        if x.dtype != self.info.dtype:
            raise ArgumentError(
                f"{self.argument}: expected {self._expected(self.info.dtype)}, got dtype {x.dtype}"
                + self._dtype_hint()
            )
        self._check_shape(x)
        if self._float_border:
            x = self._boundary.quantize(x, self.argument).integers
        return self._bytes(x)

    def from_reals(self, x: Any) -> tuple[Array, int]:
        """Rows of bytes, and how many values saturate."""
        given = np.asarray(x)
        if given.dtype.kind not in "fiub":
            raise ArgumentError(f"{self.argument}: expected real numbers, got dtype {given.dtype}")
        if given.ndim == 1 and self.info.shape == (1, 1):
            given = given[:, np.newaxis]  # samples of one number each
        self._check_shape(given)
        quantized = self._boundary.quantize(given, self.argument)
        return self._bytes(quantized.integers), quantized.outside

    def to_file_dtype(self, y: Array) -> Array:
        if self._float_border:
            return self.to_reals(y)
        return y.view(self._integer).reshape(self._batch(y))

    def to_reals(self, y: Array) -> Array:
        return self._boundary.dequantize(y).reshape(self._batch(y))

    def _bytes(self, x: Array) -> Array:
        flat = np.ascontiguousarray(x).view(np.uint8)
        return flat.reshape(x.size // self.elems, self.elems)

    def _batch(self, y: Array) -> tuple[int, ...]:
        shape = self.info.shape or (1,)
        return (len(y) * shape[0], *shape[1:])

    def _check_shape(self, x: Array) -> None:
        shape = self.info.shape or (1,)
        if x.ndim == len(shape) and x.shape[1:] == shape[1:] and x.shape[0] % shape[0] == 0:
            return
        hint = ""
        if x.shape in (shape[1:], self.info.shape[1:]):
            hint = "; one sample needs a batch axis: x[np.newaxis]"
        raise ArgumentError(
            f"{self.argument}: expected {self._expected()}, got shape {x.shape}{hint}"
        )

    def _expected(self, dtype: np.dtype[Any] | None = None) -> str:
        shape = self.info.shape or (1,)
        batch = "N" if shape[0] == 1 else f"N * {shape[0]}"
        text = ", ".join([batch, *map(str, shape[1:])]) + ("," if len(shape) == 1 else "")
        return f"shape ({text})" if dtype is None else f"an array of {dtype}, shape ({text})"

    def _dtype_hint(self) -> str:
        if self._float_border:
            return ""
        return "; Model.predict takes real numbers"


def load(source: PathLike | bytes | bytearray | memoryview) -> Model:
    """A model from a file or from its bytes: .tflite, or byteprop's own .bpm; the content decides
    which. ModelError for anything that is not a model byteprop can run; for a file of another kind
    it says what the file is and how to come from it to a model."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        data, origin = bytes(source), "the given bytes"
    elif isinstance(source, (str, os.PathLike)):
        data = formats.read_model(Path(source), formats.TFLITE, formats.IMAGE)
        origin = str(source)
    else:
        raise ArgumentError(f"source: expected a path or bytes, got {type(source).__name__}")
    try:
        return _load_bytes(data)
    except ModelError as error:
        raise type(error)(f"{origin}: {error}") from error


def _load_bytes(data: bytes) -> Model:
    kind = formats.model_kind(data)
    if kind == formats.IMAGE:
        return Model(image.decode(data), data)
    if kind == formats.TFLITE:
        return Model(load_tflite(data))
    raise ModelError(formats.not_a_model(data[: formats.HEAD_BYTES], len(data)))


def _tflite(model: Model) -> bytes:
    # As with reading one: who does not write such a file need not wait for the schema's package.
    from byteprop.tflite.writer import write_tflite

    return write_tflite(model.graph)


def _layer(graph: Graph, index: int) -> LayerInfo:
    op = graph.ops[index]
    spec, at = spec_of(op), place(graph.tensors, op)
    return LayerInfo(
        index=index,
        name=at.y.name,
        op=type(op).__name__,
        input_shape=at.x.shape,
        output_shape=at.y.shape,
        activation=spec.activation(op).name.lower(),
        scale=float(at.y.scale),
        zero_point=at.y.zero_point,
        macs=spec.macs(at),
        weight_bytes=spec.weight_bytes(op),
    )
