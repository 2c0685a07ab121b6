"""Classes of a model come and go: what `byteprop classes` does, on this computer or on a board."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import byteprop
from byteprop.engine._raw import crc32
from byteprop.engine._raw_train import Config
from byteprop.errors import ArgumentError
from byteprop.graph.boundary import Boundary
from byteprop.training import head as heads
from byteprop_host.boards.board import Board
from byteprop_host.console import Progress, no_progress, printable
from byteprop_host.data.reading import PIXEL_SCALE, Reading, numbers_for
from byteprop_host.data.samples import check_lengths, real_units
from byteprop_host.deployment import Deployment, connect
from byteprop_host.firmware.build import build
from byteprop_host.firmware.capacity import baked_image
from byteprop_host.link import DeviceCheckpoint, HeadStep, Message, TrainingSession
from byteprop_host.link.session import IMAGE_CRC_FROM
from byteprop_host.target import BoardTarget
from byteprop_host.training.plan import check_plan, plan_training
from byteprop_host.training.subject import strip_names, with_names

SUFFIXES = (".tflite", ".bpm")
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Options:
    """add: names with a file of samples each. known, test: samples with labels."""

    file: Path
    add: tuple[tuple[str, Path], ...] = ()
    remove: tuple[str, ...] = ()
    room: int | None = None
    known: Path | None = None
    test: Path | None = None
    reading: Reading = field(default_factory=Reading)
    seed: int = 0
    output: Path | None = None
    keep_dead_channels: bool = False


@dataclass(frozen=True)
class ClassRow:
    """name: "" where it has none."""

    label: int
    name: str
    in_use: bool
    is_new: bool = False


@dataclass(frozen=True)
class ClassesResult:
    """first: how the board's weights differ from the host's; "" if they do not. accuracy: of the
    test samples, before and after."""

    model: str
    board: Board | None
    rows: tuple[ClassRow, ...]
    kept: int
    steps: int
    first: str
    accuracy: tuple[float, float] | None
    memory: str
    output: Path | None

    @property
    def identical(self) -> bool:
        return not self.first

    def text(self) -> str:
        return "\n".join(_lines(self))

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "model": self.model,
            "board": None if self.board is None else self.board.name,
            "identical": self.identical,
            "first_difference": self.first,
            "classes": [vars(row) for row in self.rows],
            "samples": self.kept,
            "steps": self.steps,
            "accuracy_before": None if self.accuracy is None else self.accuracy[0],
            "accuracy": None if self.accuracy is None else self.accuracy[1],
            "memory": self.memory or None,
            "output": None if self.output is None else str(self.output),
        }


def change(
    options: Options, on: BoardTarget | None, *, progress: Progress = no_progress
) -> ClassesResult:
    """on: the board that learns the classes that are added; None: this computer."""
    model = byteprop.load(options.file, keep_dead_channels=options.keep_dead_channels)
    heads.last_dense(model.graph)  # TrainingError unless it has classes
    options.reading.check_used(*(path for _, path in options.add), options.known, options.test)
    test = None if options.test is None else _labelled(model, options.test, options.reading)
    before = None if test is None else _accuracy(model, test)
    for which in options.remove:
        model.remove_class(_which(model, which))
    if options.room is not None:
        model = model.with_capacity(options.room)
    found = _Added(0, 0, "", "")
    if options.add:
        found = _add(options, model, on, progress)
    accuracy = None if test is None or before is None else (before, _accuracy(model, test))
    if options.output is not None and not found.first:
        model.save(options.output)
    return ClassesResult(
        model=str(options.file),
        board=None if on is None or not options.add else on.board,
        rows=_rows(model, {name for name, _ in options.add}),
        kept=found.kept,
        steps=found.steps,
        first=found.first,
        accuracy=accuracy,
        memory=found.memory,
        output=None if found.first else options.output,
    )


def _which(model: byteprop.Model, word: str) -> int | str:
    """A name, or a label where no class has that name."""
    return int(word) if word.isdigit() and word not in model.class_names.values() else word


def _rows(model: byteprop.Model, new: set[str]) -> tuple[ClassRow, ...]:
    used = set(heads.classes_in_use(model.graph))
    names = model.class_names
    return tuple(
        ClassRow(i, names.get(i, ""), i in used, names.get(i) in new)
        for i in range(heads.rows(model.graph))
    )


# --- samples ---


def _inputs(model: byteprop.Model, x: Array, reading: Reading, source: str) -> Array:
    """As `Model.predict` takes them."""
    tensor = model.graph.tensors[model.graph.inputs[0]]
    x = np.ascontiguousarray(x.reshape(len(x), -1))
    if x.shape[1] != tensor.elems:
        raise ArgumentError(
            f"{source}: expected {tensor.elems} values per sample, got {x.shape[1]}; use samples "
            "with the model's input size"
        )
    x = numbers_for(tensor, x, reading, f"{source}: x").x
    if x.dtype == tensor.dtype.numpy and x.dtype.kind == "i" and tensor.normalization is None:
        scale, zero = np.float32(tensor.scale), tensor.zero_point
        x = (x.astype(np.float32) - zero) * scale
    elif not Boundary(tensor).takes_pixels:
        x = real_units(x, tensor, PIXEL_SCALE)
    return x.reshape((-1, *tensor.shape[1:]))


def _samples(model: byteprop.Model, path: Path, reading: Reading) -> Array:
    tensor = model.graph.tensors[model.graph.inputs[0]]
    found = reading.samples(path, None, tensor.shape[1:])
    if not len(found.x):
        raise ArgumentError(f"{path}: expected samples, got none")
    return _inputs(model, found.x, reading, str(path))


def _labelled(model: byteprop.Model, path: Path, reading: Reading) -> tuple[Array, Array]:
    tensor = model.graph.tensors[model.graph.inputs[0]]
    found = reading.samples(path, None, tensor.shape[1:])
    if found.y is None or not len(found.x):
        raise ArgumentError(f"{path}: expected samples with labels, got none")
    check_lengths(path, len(found.x), path, len(found.y))
    y = np.asarray(found.y)
    if found.classes is not None and set(found.classes) <= set(model.class_names.values()):
        label_of = {name: label for label, name in model.class_names.items()}
        y = np.array([label_of[name] for name in found.classes])[y]
    return _inputs(model, found.x, reading, str(path)), y.astype(np.int64)


def _accuracy(model: byteprop.Model, samples: tuple[Array, Array]) -> float:
    x, y = samples
    return float(np.mean(np.asarray(model.predict(x)).argmax(axis=1) == y))


# --- new classes ---


@dataclass(frozen=True)
class _Added:
    kept: int
    steps: int
    first: str
    memory: str


def _add(
    options: Options, model: byteprop.Model, on: BoardTarget | None, progress: Progress
) -> _Added:
    known = None if options.known is None else _labelled(model, options.known, options.reading)
    samples = [(name, _samples(model, path, options.reading)) for name, path in options.add]
    if on is None:
        kept = steps = 0
        for i, (name, x) in enumerate(samples):
            plan = _plan(options, model, name, x, known)
            heads.learn_class(model, plan, heads.begun(model, plan.config))
            kept, steps = kept + len(plan.rows), steps + len(plan.rates)
            known = _with(known, x, plan.label)
            _name(model, plan.label, name)
            progress("learn", i + 1, len(samples))
        return _Added(kept, steps, "", "")
    return _on_board(options, model, samples, known, on, progress)


def _plan(
    options: Options,
    model: byteprop.Model,
    name: str,
    x: Array,
    known: tuple[Array, Array] | None,
) -> heads.Addition:
    if name in model.class_names.values():
        raise ArgumentError(f"--add: there is a class {name!r} already; --remove takes it away")
    return heads.plan_class(model, x, known, None, heads.RATE, options.seed)


def _with(known: tuple[Array, Array] | None, x: Array, label: int) -> tuple[Array, Array] | None:
    """The next class is learnt next to this one."""
    if known is None:
        return None
    y = np.append(known[1], np.full(len(x), label))
    return np.concatenate([known[0], x]), y


def _name(model: byteprop.Model, label: int, name: str) -> None:
    model.class_names = {**model.class_names, label: name}


def _on_board(
    options: Options,
    model: byteprop.Model,
    samples: list[tuple[str, Array]],
    known: tuple[Array, Array] | None,
    on: BoardTarget,
    progress: Progress,
) -> _Added:
    """The board learns every class, and this computer the same; compared after each."""
    _make_room(model, len(samples))
    names = strip_names(model)
    first_plan = _plan(options, model, samples[0][0], samples[0][1], known)
    needs = plan_training(on.board, model.image, _largest(first_plan, samples, known))
    check_plan(needs, first_plan.config)
    base = baked_image(model.image) if needs.in_flash else None
    firmware = build(on.board, base, train=True, progress=progress)
    kept = steps = 0
    first = ""
    with connect(on, firmware, progress=progress) as deployment:
        for name, x in samples:
            plan = _plan(options, model, name, x, known)
            first = _learn_in_lockstep(model, plan, deployment, base, progress)
            if first:
                break
            kept, steps = kept + len(plan.rows), steps + len(plan.rates)
            known = _with(known, x, plan.label)
            _name(model, plan.label, name)
    graph = with_names(model.graph, names)
    model.adopt(graph, byteprop.image.encode(graph))
    return _Added(kept, steps, first, needs.text)


def _make_room(model: byteprop.Model, n: int) -> None:
    """A row for each class: a board cannot add rows."""
    in_reserve = heads.rows(model.graph) - len(heads.classes_in_use(model.graph))
    if in_reserve < n:
        grown = model.with_capacity(heads.rows(model.graph) + n - in_reserve)
        model.adopt(grown.graph, grown.image, grown.masters)


def _largest(plan: heads.Addition, samples: list[tuple[str, Array]], known: object) -> Config:
    """The configuration that keeps most samples: that of the last class."""
    more = sum(min(len(x), heads.KEPT_PER_CLASS) for _, x in samples[:-1]) if known else 0
    longest = max(len(x) for _, x in samples)
    return replace(plan.config, kept=min(65535, len(plan.rows) + more + longest))


def _steps(plan: heads.Addition) -> Iterator[HeadStep]:
    for row, label in zip(plan.rows, plan.labels.tolist(), strict=True):
        yield HeadStep(Message.REMEMBER, label, row.tobytes())
    yield HeadStep(Message.IMPRINT, plan.label)
    for rate in plan.rates.tolist():
        yield HeadStep(Message.REHEARSE, lr_q24=rate)


def _learn_in_lockstep(
    model: byteprop.Model,
    plan: heads.Addition,
    deployment: Deployment,
    base: bytes | None,
    progress: Progress,
) -> str:
    """In words, how the board's weights differ from the host's; "" if they do not."""
    twin = heads.begun(model, plan.config)
    start = DeviceCheckpoint(0, twin.image, twin.state)
    session = TrainingSession(deployment.device, twin.image, plan.config, resume=start, base=base)
    total = len(plan.rows) + 1 + len(plan.rates)
    for i, _ in enumerate(session.train(_steps(plan))):
        progress("learn", i + 1, total)
    heads.learn_class(model, plan, twin)
    image, state = session.digests()
    if (image, state) != (crc32(twin.image[IMAGE_CRC_FROM:]), crc32(twin.state)):
        return f"class {plan.label}: the board's weights are not the host's"
    trained = session.end()
    same = trained == twin.image
    return "" if same else f"class {plan.label}: the board's image is not the host's"


# --- words ---


def headline(r: ClassesResult) -> str:
    used = sum(row.in_use for row in r.rows)
    free = len(r.rows) - used
    room = f", room for {free} more" if free else ""
    if r.first:
        return f"DIFFERENT: {r.first}"
    where = "" if r.board is None else "identical: the last layer equals the host's, bit for bit; "
    return f"{where}{used} classes{room}"


def _lines(r: ClassesResult) -> list[str]:
    lines = [headline(r)]
    if r.accuracy is not None:
        lines.append(f"accuracy   {r.accuracy[1]:.4f}, before {r.accuracy[0]:.4f}")
    if r.kept:
        lines.append(f"learnt     from {r.kept:,} samples, in {r.steps:,} steps with kept features")
    if r.board is not None:
        lines += [f"board      {r.board.name}: {r.board.title}", f"memory     {r.memory}"]
    for row in r.rows:
        state = "new" if row.is_new else "" if row.in_use else "in reserve"
        lines.append(f"{row.label:>9}  {printable(row.name or '-'):<20} {state}".rstrip())
    return [*lines, *([f"written    {r.output}"] if r.output else [])]


def check_output(path: Path | None) -> None:
    """Raises ArgumentError for a file that cannot hold a model."""
    if path is not None and path.suffix not in SUFFIXES:
        raise ArgumentError(
            f"--output: expected a name that ends in {', '.join(SUFFIXES)}, got {path}"
        )
