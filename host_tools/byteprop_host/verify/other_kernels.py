"""What the default kernels of LiteRT and tflite-runtime return for the same samples.

They are no reference: they round in another way. People who compare a board with them on their own
see bytes that differ by a step, and want to know why.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.errors import BytepropError
from byteprop.graph import Graph
from byteprop.importer.formats import TFLITE, model_kind
from byteprop_host.console import Progress, no_progress
from byteprop_host.data.samples import Ints, SampleSet, to_codes

MAX_SAMPLES = 1000
WHY = "they round in another way (byteprop help faq)"
_RUNTIMES = (
    ("LiteRT", "ai-edge-litert", "ai_edge_litert.interpreter"),
    ("tflite", "tflite-runtime", "tflite_runtime.interpreter"),
)
_STDERR = 2


@dataclass(frozen=True)
class OtherKernels:
    """How the board's outputs compare with one runtime's default kernels. most: the largest
    difference, in steps of the output. same_class: samples with the same class; None: the output is
    no class."""

    name: str
    package: str
    samples: int
    bytes_total: int
    bytes_equal: int
    most: int
    same_class: int | None

    @property
    def text(self) -> str:
        """How many bytes are equal, and by how much the others differ at most."""
        equal = f"{self.bytes_equal:,} of {self.bytes_total:,} bytes equal the default kernels'"
        if self.bytes_equal == self.bytes_total:
            return f"{equal} ({self.package})"
        steps = "1 step" if self.most == 1 else f"{self.most} steps"
        return f"{equal}, others differ by at most {steps} ({self.package}): {WHY}"


def compare_with_others(
    model: bytes,
    graph: Graph,
    samples: SampleSet,
    outputs: Sequence[Ints],
    *,
    progress: Progress = no_progress,
) -> tuple[OtherKernels, ...]:
    """A comparison for each runtime that is installed and runs the model. graph: with all that the
    file has. outputs: the board's."""
    if model_kind(model) != TFLITE:
        return ()
    n = min(samples.n, MAX_SAMPLES)
    found = []
    for name, package, module in _RUNTIMES:
        try:
            release = version(package)
            theirs = _run(importlib.import_module(module), model, graph, samples, n)
        except (PackageNotFoundError, ImportError, ValueError, RuntimeError, BytepropError):
            continue  # not installed, or without these ops: there is nothing to compare with
        found.append(_compared(name, f"{package} {release}", outputs, theirs))
        progress("other kernels", len(found), len(_RUNTIMES))
    return tuple(found)


def _run(
    runtime: Any, model: bytes, graph: Graph, samples: SampleSet, n: int
) -> list[npt.NDArray[np.int64]]:
    """Every output [n, elems]."""
    with _silent():  # they write remarks to stderr
        interpreter = runtime.Interpreter(model_content=model, num_threads=1)
        interpreter.allocate_tensors()
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    found: list[list[Any]] = [[] for _ in outputs]
    for i in range(n):
        for detail, x in zip(inputs, samples.file, strict=True):
            interpreter.set_tensor(detail["index"], x[i].reshape(detail["shape"]))
        interpreter.invoke()
        for values, detail in zip(found, outputs, strict=True):
            values.append(interpreter.get_tensor(detail["index"]).reshape(-1))
    return [
        _codes(np.stack(values), graph, index)
        for values, index in zip(found, graph.outputs, strict=True)
    ]


def _codes(values: npt.NDArray[Any], graph: Graph, index: int) -> npt.NDArray[np.int64]:
    tensor = graph.tensors[index]
    if tensor.float_border:
        values = to_codes(values.astype(np.float32), tensor)
    return values.astype(np.int64)


def _compared(
    name: str, package: str, ours: Sequence[Ints], theirs: Sequence[npt.NDArray[np.int64]]
) -> OtherKernels:
    n = len(theirs[0])
    distances = [np.abs(a[:n].astype(np.int64) - b) for a, b in zip(ours, theirs, strict=True)]
    same = None
    if ours[0].shape[1] > 1:
        same = int((ours[0][:n].argmax(axis=1) == theirs[0].argmax(axis=1)).sum())
    return OtherKernels(
        name=name,
        package=package,
        samples=n,
        bytes_total=sum(d.size for d in distances),
        bytes_equal=sum(int((d == 0).sum()) for d in distances),
        most=max(int(d.max(initial=0)) for d in distances),
        same_class=same,
    )


@contextmanager
def _silent() -> Iterator[None]:
    """Without the standard error of C code."""
    kept = os.dup(_STDERR)
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, _STDERR)
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
        os.close(nothing)
