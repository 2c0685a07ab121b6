"""The reference outputs that a board is compared with."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

import byteprop.reference
from byteprop.errors import ArgumentError, ModelError
from byteprop.graph import Graph
from byteprop_host.console import Progress, no_progress
from byteprop_host.data.samples import Ints, SampleSet, batched, to_codes
from byteprop_host.errors import INSTALL_REFERENCE, ToolMissingError

REFERENCE_VERSION = "2.14"
"""Release of tflite-runtime whose reference kernels define every result."""
_TFLITE_IDENTIFIER = b"TFL3"


class ReferenceKind(Enum):
    """AUTO is TFLITE for a .tflite file if tflite-runtime can be imported, else NUMPY."""

    AUTO = "auto"
    TFLITE = "tflite"
    NUMPY = "numpy"


@dataclass(frozen=True)
class Reference:
    """One reference implementation: its name, and why it was chosen."""

    kind: ReferenceKind
    name: str
    why: str
    tflite: bytes | None = None

    def run(
        self, graph: Graph, samples: SampleSet, *, progress: Progress = no_progress
    ) -> tuple[Ints, ...]:
        """Returns every output [n, elems] in device integers."""
        if self.tflite is None:
            return _run_numpy(graph, samples, progress)
        return _run_tflite(self.tflite, graph, samples, progress)


def choose_reference(model: bytes, *, kind: ReferenceKind = ReferenceKind.AUTO) -> Reference:
    """Chooses the reference for a model file."""
    version = tflite_version()
    if kind is ReferenceKind.NUMPY:
        return _numpy("asked for")
    if model[4:8] != _TFLITE_IDENTIFIER:
        if kind is ReferenceKind.TFLITE:
            raise ArgumentError(
                "--reference tflite: expected a .tflite file, the only kind that tflite-runtime "
                "reads; name the .tflite of this model with --against, or use --reference numpy"
            )
        return _numpy("the model is not a .tflite file")
    if version is None:
        if kind is ReferenceKind.TFLITE:
            raise ToolMissingError(
                f"tflite-runtime is not installed: {INSTALL_REFERENCE} (it exists for Python 3.11 "
                "and older), or use --reference numpy"
            )
        return _numpy("tflite-runtime is not installed")
    why = "tflite-runtime is installed" if kind is ReferenceKind.AUTO else "asked for"
    if not version.startswith(REFERENCE_VERSION + "."):
        why += f" (results are defined by {REFERENCE_VERSION}; this is {version})"
    return Reference(
        ReferenceKind.TFLITE, f"tflite-runtime {version}, BUILTIN_REF kernels", why, model
    )


def tflite_version() -> str | None:
    """Version of the installed tflite-runtime, or None."""
    if importlib.util.find_spec("tflite_runtime") is None:
        return None
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("tflite-runtime")
    except PackageNotFoundError:
        return None


def tflite_interpreter(model: bytes, *, resolver: str, threads: int = 1) -> Any:
    """A tflite-runtime interpreter, tensors allocated; resolver: a name of OpResolverType.

    Only BUILTIN_REF is a reference: the others round differently.
    """
    from tflite_runtime import interpreter as tflite

    try:
        made = tflite.Interpreter(
            model_content=model,
            num_threads=threads,
            experimental_op_resolver_type=getattr(tflite.OpResolverType, resolver),
        )
        made.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"tflite-runtime cannot load the model: {error}") from error
    return made


def _numpy(why: str) -> Reference:
    return Reference(ReferenceKind.NUMPY, "byteprop.reference (NumPy)", why)


def _run_numpy(graph: Graph, samples: SampleSet, progress: Progress) -> tuple[Ints, ...]:
    n = samples.n
    inputs = [
        batched(x, graph.tensors[i]) for i, x in zip(graph.inputs, samples.device, strict=True)
    ]
    outputs = byteprop.reference.run(graph, inputs)
    progress("reference", n, n)
    return tuple(np.ascontiguousarray(y.reshape(n, -1)) for y in outputs)


def _run_tflite(
    model: bytes, graph: Graph, samples: SampleSet, progress: Progress
) -> tuple[Ints, ...]:
    interpreter = tflite_interpreter(model, resolver="BUILTIN_REF")
    inputs = interpreter.get_input_details()
    outputs = interpreter.get_output_details()
    if len(inputs) != len(samples.file) or len(outputs) != len(graph.outputs):
        raise ModelError(
            "tflite-runtime and byteprop disagree about the number of inputs or outputs"
        )
    found: list[list[npt.NDArray[np.generic]]] = [[] for _ in outputs]
    for i in range(samples.n):
        for detail, x in zip(inputs, samples.file, strict=True):
            interpreter.set_tensor(detail["index"], x[i].reshape(detail["shape"]))
        interpreter.invoke()
        for values, detail in zip(found, outputs, strict=True):
            values.append(interpreter.get_tensor(detail["index"]).reshape(-1))
        progress("reference", i + 1, samples.n)
    return tuple(
        _codes(np.stack(values), graph, index)
        for values, index in zip(found, graph.outputs, strict=True)
    )


def _codes(values: npt.NDArray[np.generic], graph: Graph, index: int) -> Ints:
    tensor = graph.tensors[index]
    if tensor.float_border:
        return to_codes(values.astype(np.float32), tensor)
    return np.ascontiguousarray(values)
