"""The core of a model: load a graph, look at it, run it, save it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from byteprop import image
from byteprop.engine import _raw
from byteprop.errors import ArgumentError
from byteprop.graph import Graph, Kind, Tensor
from byteprop.image import export
from byteprop.inference import class_names
from byteprop.inference.fast import fast_predict, fast_run
from byteprop.inference.feeding import Feeder, RowFeed
from byteprop.inference.info import layer_info
from byteprop.inference.port import Port
from byteprop.inference.summary import summary
from byteprop.ops import spec_of
from byteprop.support import files

Array = npt.NDArray[Any]
Arrays = Array | Sequence[Array]
PathLike = str | os.PathLike[str]
_BIAS_BYTES = 4
_MADE_AGAIN = frozenset(
    "_engine _ports _fast _fast_predict _feed inputs outputs layers macs run_in_progress".split()
)


class BatchEngine(Protocol):
    """Runs batches of one model: uint8 [n, output bytes] from uint8 [n, input bytes]."""

    @property
    def arena_bytes(self) -> int: ...

    def run(self, x: Array) -> Array: ...

    def reset(self) -> None: ...

    def get_state(self) -> bytes: ...

    def set_state(self, state: bytes) -> None: ...

    def feeding(self) -> Feeder: ...


class BaseModel:
    """A model that runs: `Model` without training. Calls from several threads are allowed."""

    class_names: Mapping[int, str] = MappingProxyType({})
    """Names of classes by label, as far as they are known; saved with the model."""

    def __init__(
        self,
        graph: Graph,
        image_bytes: bytes | None = None,
        *,
        engine: BatchEngine | None = None,
    ) -> None:
        """image_bytes: the image that stands for the graph, when there is one already. engine: what
        runs the batches; the library on this machine by default, else for instance a board."""
        self._adopt(graph, image_bytes, engine)

    def _adopt(
        self,
        graph: Graph,
        image_bytes: bytes | None,
        engine: BatchEngine | None = None,
    ) -> None:
        """Becomes this model."""
        self.graph = graph
        self.image = image.encode(graph) if image_bytes is None else image_bytes
        self._engine: BatchEngine = _raw.Engine(self.image) if engine is None else engine
        ins = tuple(Port(graph.tensors[t], f"x[{i}]") for i, t in enumerate(graph.inputs))
        outs = tuple(Port(graph.tensors[t], "y") for t in graph.outputs)
        if len(ins) == 1:
            ins[0].argument = "x"
        # Each in one assignment: a call from another thread sees the old model or the new one.
        self._ports = (self._engine, ins, outs)
        self._fast = fast_run(self._engine, graph)
        self._fast_predict = fast_predict(self._engine, graph)
        self.inputs = tuple(port.info for port in ins)
        self.outputs = tuple(port.info for port in outs)
        self.layers = tuple(layer_info(graph, i) for i in range(len(graph.ops)))
        self.macs = sum(layer.macs for layer in self.layers)
        self._feed: RowFeed | None = None

    @property
    def arena_bytes(self) -> int:
        """RAM for activations, exactly as the device needs it."""
        return self._engine.arena_bytes

    @property
    def is_stateful(self) -> bool:
        """Whether an inference depends on those before it."""
        return any(t.kind is Kind.STATE for t in self.graph.tensors)

    def reset(self) -> None:
        """Forgets all inferences so far, and the rows of an image that is not complete. Another
        model without state has nothing to forget."""
        self._feed = None
        self._engine.reset()

    def get_state(self) -> tuple[Array, ...]:
        """Copies of the tensors of kind STATE, in the graph's order: what the next inference begins
        with. What a layer keeps in int16 is two int8, the lower byte first, along the last axis."""
        left = np.frombuffer(self._engine.get_state(), np.uint8)
        found = []
        for tensor in self._state_tensors():
            part, left = left[: tensor.elems], left[tensor.elems :]
            found.append(part.view(tensor.dtype.numpy).reshape(tensor.shape).copy())
        return tuple(found)

    def set_state(self, state: Sequence[Array]) -> None:
        """As get_state returned it."""
        tensors = self._state_tensors()
        got = [(x.shape, x.dtype) for x in map(np.asarray, state)]
        if got != [(t.shape, t.dtype.numpy) for t in tensors]:
            expected = ", ".join(f"{t.dtype.name.lower()} {list(t.shape)}" for t in tensors)
            given = ", ".join(f"{dtype} {list(shape)}" for shape, dtype in got)
            raise ArgumentError(
                f"state: expected {expected or 'no arrays'}, got {given or 'no arrays'}"
            )
        self._engine.set_state(b"".join(np.asarray(x).tobytes() for x in state))

    def _state_tensors(self) -> list[Tensor]:
        return [t for t in self.graph.tensors if t.kind is Kind.STATE]

    def run(self, x: Arrays, *, steps: bool = False) -> Any:
        """The outputs of a batch, in the data types of the model file: one array, or a tuple when
        the model has several outputs. x: one array, or one array an input in a list or tuple.

        The first axis is the batch: shape (N, *inputs[i].shape[1:]). A file made for a fixed batch
        of B takes N in multiples of B.

        A model with state takes one sample per call, and each call goes on where the one before
        ended. steps: N samples are N steps one after the other. Threads then share the state.
        """
        y = self._fast(x)
        if y is not None:
            return y
        engine, ins, outs = self._ports
        columns = [
            port.from_file_dtype(given) for port, given in zip(ins, _split(ins, x), strict=True)
        ]
        self._check_steps(columns, steps)
        return _run(engine, outs, columns, Port.to_file_dtype)

    def predict(self, x: Arrays, *, steps: bool = False) -> Any:
        """As run, but with real numbers in the user's own units: x, of any real dtype, is
        normalised where the model says so and quantised by the scale of the input; the answer is
        float32. ArgumentError names the first value that is NaN or infinite."""
        return self._predict(x, steps)[0]

    def _check_steps(self, columns: Sequence[Array], steps: bool) -> None:
        n = len(columns[0])
        if n > 1 and not steps and self.is_stateful:
            raise ArgumentError(
                f"x: expected one sample, as the model has state, got {n}; call once per step, or "
                "pass steps=True for samples that follow one another in time"
            )

    def _predict(self, x: Arrays, steps: bool = False) -> tuple[Any, int]:
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
        self._check_steps(columns, steps)
        return _run(engine, outs, columns, Port.to_reals), outside

    def feed(self, rows: Array) -> Any:
        """The next rows of an image, [n, width, channels] or one row, for a model that is fed row
        by row (with_rows makes one): None, until the image is complete; then the outputs, as run
        gives them for this image. The data type is that of run, too. The row after that begins
        another image. Not for several threads."""
        engine, _, outs = self._ports
        if self._feed is None:
            self._feed = RowFeed(self.graph.tensors[self.graph.inputs[0]], engine.feeding())
        answer = self._feed.feed(rows)
        if answer is None:
            return None
        return _split_outputs(outs, answer[np.newaxis], Port.to_file_dtype)

    def count_params(self) -> int:
        """Weights and biases of all layers, as Keras counts them."""
        total = 0
        for op in self.graph.ops:
            spec = spec_of(op)
            weights = spec.weights(op)
            total += weights + (spec.weight_bytes(op) - weights) // _BIAS_BYTES
        return total

    def __getstate__(self) -> dict[str, Any]:
        """For pickle and copy.deepcopy: without what is made again from the image."""
        engine = self.__dict__.get("_engine")
        if engine is not None and not isinstance(engine, _raw.Engine):
            raise ArgumentError(
                "model: expected one that this computer runs, got one that a board runs; "
                "byteprop.load(model.image) makes a copy"
            )
        return {name: value for name, value in self.__dict__.items() if name not in _MADE_AGAIN}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if "image" in state:
            self._adopt(state["graph"], state["image"])

    def summary(self) -> str:
        """A table of the layers with their totals."""
        return summary(self)

    def save(self, path: PathLike) -> None:
        """Writes the model; the suffix of the path chooses the format."""
        target = Path(path)
        writers: dict[str, Callable[[BaseModel], bytes]] = {
            ".tflite": _tflite,
            ".bpm": lambda model: model.image,
            ".h": lambda model: export.header(image.without_names(model.image)).encode(),
        }
        if target.suffix not in writers:
            raise ArgumentError(
                f"path: expected a file name that ends in {' or '.join(writers)}, got {str(path)!r}"
            )
        content = writers[target.suffix](self)
        if target.suffix != ".h":
            n = self.graph.tensors[self.graph.outputs[0]].elems
            content = class_names.attach(content, self.class_names, n)
        files.write(target, content)

    def input_bytes_of(self, x: Any, argument: str) -> tuple[Array, int]:
        """uint8 [n, input bytes] of real inputs, of a model with one input, and how many of them
        saturate."""
        ins = self._ports[1]
        if len(ins) != 1:
            raise ArgumentError(
                f"{argument}: expected a model with one input, got one with {len(ins)}"
            )
        return Port(self.graph.tensors[self.graph.inputs[0]], argument).from_reals(x)

    def reals_of_bytes(self, rows: Array) -> Array:
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
    outs: Sequence[Port],
    columns: Sequence[Array],
    from_bytes: Callable[[Port, Array], Array],
) -> Any:
    """Outputs of inputs as bytes [n, elems], one array per input."""
    sizes = [len(c) for c in columns]
    if len(set(sizes)) > 1:
        raise ArgumentError(f"x: expected as many samples in every input, got {sizes}")
    rows = columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)
    return _split_outputs(outs, engine.run(rows), from_bytes)


def _split_outputs(
    outs: Sequence[Port], answer: Array, from_bytes: Callable[[Port, Array], Array]
) -> Any:
    """Each output of uint8 [n, output bytes]; of a single one the array itself."""
    outputs, start = [], 0
    for port in outs:
        part = np.ascontiguousarray(answer[:, start : start + port.elems])
        outputs.append(from_bytes(port, part))
        start += port.elems
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


def _split(ins: Sequence[Port], x: Arrays) -> Sequence[Any]:
    if len(ins) == 1:
        return [x]
    if not isinstance(x, (list, tuple)) or len(x) != len(ins):
        given = f"{len(x)} items" if isinstance(x, (list, tuple)) else type(x).__name__
        names = ", ".join(port.info.name for port in ins)
        raise ArgumentError(
            f"x: expected a list or tuple of {len(ins)} arrays ({names}), got {given}"
        )
    return x


def _tflite(model: BaseModel) -> bytes:
    # As with reading one: who does not write such a file need not wait for the schema's package.
    from byteprop.exporter import write_tflite

    return write_tflite(model.graph)
