"""A model's answers from a board, as arrays in the model file's own types."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import byteprop
import byteprop.reference
from byteprop.errors import ArgumentError
from byteprop.graph import Graph
from byteprop_host.boards import Board
from byteprop_host.console import Progress, no_progress
from byteprop_host.samples import Ints, SampleSet, from_file, sample_shape
from byteprop_host.session import Session, open_session


@dataclass(frozen=True)
class Answers:
    """outputs: one array [n, *shape] per output, in the model file's dtypes."""

    board: str
    names: tuple[str, ...]
    outputs: tuple[npt.NDArray[np.generic], ...]
    seconds: float


def run_on_board(
    model: Path,
    data: Path,
    *,
    board: str | Path | Board = "host",
    port: str | None = None,
    samples: int | None = None,
    pixel_scale: float = 1 / 255,
    timeout: float = 10.0,
    progress: Progress = no_progress,
    wire_log: Path | None = None,
) -> Answers:
    """Runs the samples of a data file on a board."""
    began = time.monotonic()
    loaded = byteprop.load(model)
    graph = loaded.graph
    chosen = from_file(graph, data, samples, pixel_scale=pixel_scale)
    with open_session(
        board, loaded.image, port=port, timeout=timeout, progress=progress, wire_log=wire_log
    ) as session:
        outputs = collect(session, graph, chosen, progress)
    return Answers(
        session.board.name,
        tuple(graph.tensors[i].name for i in graph.outputs),
        tuple(_in_file_form(y, graph, i) for y, i in zip(outputs, graph.outputs, strict=True)),
        time.monotonic() - began,
    )


def collect(
    session: Session, graph: Graph, samples: SampleSet, progress: Progress = no_progress
) -> tuple[Ints, ...]:
    """Every output [n, elems] in device integers."""
    tensors = [graph.tensors[i] for i in graph.outputs]
    outputs = tuple(np.empty((samples.n, t.elems), dtype=t.dtype.numpy) for t in tensors)
    for i in range(samples.n):
        store_outputs(outputs, i, session.device.infer(samples.bytes_of(i)).output)
        progress("infer", i + 1, samples.n)
    return outputs


def store_outputs(outputs: tuple[Ints, ...], i: int, raw: bytes) -> None:
    """Puts one sample's output bytes, all outputs one after the other, into row i."""
    at = 0
    for array in outputs:
        row = array[i]
        row[:] = np.frombuffer(raw, dtype=row.dtype, count=row.size, offset=at)
        at += row.nbytes


def _in_file_form(y: Ints, graph: Graph, index: int) -> npt.NDArray[np.generic]:
    tensor = graph.tensors[index]
    values: npt.NDArray[np.generic] = y
    if tensor.float_border:
        values = byteprop.reference.dequantize(y, tensor.scale, tensor.zero_point)
    return values.reshape(len(y), *sample_shape(tensor))


def save_outputs(answers: Answers, path: Path) -> None:
    """.npy holds one output; .npz all, as output_0, output_1, ..."""
    if path.suffix == ".npz":
        np.savez(path, **{f"output_{i}": y for i, y in enumerate(answers.outputs)})
    elif len(answers.outputs) == 1:
        np.save(path, answers.outputs[0])
    else:
        raise ArgumentError(f"{path}: the model has several outputs; write an .npz")
