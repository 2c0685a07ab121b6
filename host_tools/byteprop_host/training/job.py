"""Training on a board: the board and the host make the same steps, sample by sample, and at the end
both must have the same bits."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

import byteprop
from byteprop.data import FOLDER_KINDS, kind_of
from byteprop.errors import ArgumentError
from byteprop.graph import Graph
from byteprop.training import checkpoint
from byteprop.training import fit as fitting
from byteprop.training.callbacks import Callback, EarlyStopping, Logs, Position
from byteprop.training.history import History
from byteprop.training.metrics import confusion
from byteprop.training.options import TrainOptions
from byteprop.training.samples import has_classes, n_outputs
from byteprop_host.boards.board import Board
from byteprop_host.console import Progress, no_progress
from byteprop_host.data.classes import read_classes
from byteprop_host.data.samples import Ints
from byteprop_host.deployment import Deployment, connect
from byteprop_host.errors import HostError, LinkError, PortError, error_text
from byteprop_host.firmware.build import build
from byteprop_host.firmware.capacity import TrainingNeeds, baked_image
from byteprop_host.report.images import square_side, to_grey
from byteprop_host.target import BoardTarget
from byteprop_host.training.compare import LockstepComparison, Trained, compare
from byteprop_host.training.data import Parts, Sources, load_parts
from byteprop_host.training.lockstep import BoardMismatch, LockstepTrainer
from byteprop_host.training.plan import check_plan, plan_training, trains_one_layer
from byteprop_host.training.result import (
    Final,
    Parameters,
    Part,
    Pictures,
    SaveCheck,
    SettingsSummary,
    TrainingFigures,
    TrainingResult,
)
from byteprop_host.training.save import check_save, save_on_board
from byteprop_host.training.scores import Epoch, Rows, Score, class_counts, score, score_outputs
from byteprop_host.training.subject import (
    Encoded,
    Subject,
    encode_part,
    loss_text,
    make_model,
    sizes_text,
    strip_names,
    with_names,
)

SUFFIXES = (".tflite", ".bpm", ".h")
_MAX_PICTURES = 200
_MOST_PARAMETERS = 32


@dataclass(frozen=True)
class Options:
    """What to train, on which samples, and what to save. classes: a file with their names.
    early_stopping: epochs without progress."""

    subject: Subject
    sources: Sources
    training: TrainOptions
    save: tuple[Path, ...] = ()
    save_on_device: bool = False
    checkpoint: Path | None = None
    resume: bool = False
    classes: Path | None = None
    early_stopping: int | None = None

    def training_on(self, board: Board) -> TrainOptions:
        """The options for a board: one that trains a single layer keeps its scales fixed."""
        stays = self.training.window is None and trains_one_layer(board)
        return replace(self.training, window=0) if stays else self.training


@dataclass(frozen=True)
class TrainingListener:
    """Callbacks of a training. on_plan: gets its memory, before anything is built. on_epoch: gets
    each epoch and how many there are. on_logs: gets the figures of the epoch so far. should_stop:
    called several times per second; True stops."""

    progress: Progress = no_progress
    on_plan: Callable[[TrainingNeeds], None] = lambda plan: None
    on_epoch: Callable[[Epoch, int], None] = lambda epoch, epochs: None
    on_logs: Callable[[Logs], None] = lambda logs: None
    should_stop: Callable[[], bool] = lambda: False


class TrainingInterrupted(HostError):
    """The user stopped the training. path: the checkpoint to resume from."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


def train(
    options: Options, on: BoardTarget, *, listener: TrainingListener | None = None
) -> TrainingResult:
    """Trains on a board and compares with the same training on this computer.

    TrainingInterrupted when `listener.should_stop` says so. A difference is no error but a result.
    """
    began = time.monotonic()
    listener = listener or TrainingListener()
    board = on.board
    _check_options(options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", byteprop.TrainingWarning)
        job = _Job.prepare(options, board)
    cautions = tuple(dict.fromkeys(str(w.message) for w in caught))
    listener.on_plan(job.plan)
    firmware_began = time.monotonic()
    firmware = build(board, job.base, train=True, progress=listener.progress)
    build_seconds = time.monotonic() - firmware_began
    with connect(on, firmware, progress=listener.progress) as deployment:
        deployment = replace(deployment, build_seconds=build_seconds)
        with warnings.catch_warnings():
            # The result has its own verdict.
            warnings.simplefilter("ignore", byteprop.TrainingWarning)
            done = _train(job, deployment, listener)
        return _result(job, deployment, done, cautions, began)


def _check_options(options: Options) -> None:
    for path in options.save:
        if path.suffix not in SUFFIXES:
            raise ArgumentError(
                f"--save: expected a name that ends in {', '.join(SUFFIXES)}, got {path}"
            )
        if not path.parent.is_dir():
            raise ArgumentError(f"--save: there is no folder {path.parent}")
    if options.resume and options.checkpoint is None:
        raise ArgumentError("--resume: expected --checkpoint FILE to resume from, got none")
    if options.resume and options.checkpoint and not options.checkpoint.exists():
        raise ArgumentError(
            f"--resume: there is no checkpoint {options.checkpoint}; leave out --resume to start "
            "a new training"
        )


# --- what is trained ---


@dataclass(frozen=True)
class _Job:
    """Everything that is known before the board is used. base: the image in the board's flash, if
    it is trained there; None: it is uploaded."""

    options: Options
    board: Board
    model: byteprop.Model
    names: tuple[str, ...]
    before: Graph
    parts: Parts
    training: Encoded
    validation: Encoded | None
    test: Encoded | None
    settings: fitting.Settings
    plan: TrainingNeeds
    base: bytes | None
    at_start: dict[str, Score]
    classes: tuple[str, ...] = ()

    @staticmethod
    def prepare(options: Options, board: Board) -> _Job:
        seed = options.training.seed
        takes_shape = kind_of(options.sources.data) in FOLDER_KINDS
        shape = options.subject.sample_shape() if takes_shape else None
        parts = load_parts(options.sources, seed=seed, shape=shape)
        model, parts = make_model(options.subject, parts, options.sources.reading, seed=seed)
        encoded = {p.name: encode_part(model, p) for p in parts.all}
        settings = fitting.settings_of(
            model,
            encoded["training"].samples,
            options.training_on(board),
        )
        before = model.graph
        if options.classes is not None:
            classes = read_classes(options.classes, n_outputs(before))
        else:
            classes = parts.classes or ()
        names = strip_names(model)
        plan = plan_training(board, model.image, settings.config)
        check_plan(plan, settings.config)
        if options.save_on_device:
            check_save(board, plan)
        return _Job(
            options=options,
            board=board,
            model=model,
            names=names,
            before=before,
            parts=parts,
            training=encoded["training"],
            validation=encoded.get("validation"),
            test=encoded.get("test"),
            settings=settings,
            plan=plan,
            base=baked_image(model.image) if plan.in_flash else None,
            at_start={name: score(model, part) for name, part in encoded.items()},
            classes=classes,
        )

    @property
    def shown(self) -> Encoded:
        """The part that the board itself runs at the end."""
        return self.test or self.validation or self.training


# --- training ---


@dataclass(frozen=True)
class _Done:
    """Results from the board."""

    epochs: tuple[Epoch, ...]
    history: History
    resumed_at: int
    comparison: LockstepComparison
    outputs: Rows
    ticks: tuple[int, ...]
    host: Trained
    saved: SaveCheck | None
    seconds: float


class _ProgressCallback(Callback):
    """Passes the progress of fit on to the listener."""

    def __init__(self, run: fitting.Run[LockstepTrainer], listener: TrainingListener) -> None:
        self._run = run
        self._listener = listener

    def on_progress(self, position: Position, logs: Logs) -> None:
        self._listener.on_logs(logs)
        figures = ", ".join(f"{name} {value:.4g}" for name, value in logs.items())
        self._listener.progress(
            "train",
            position.epoch * position.samples + position.sample,
            position.epochs * position.samples,
            note=f"epoch {position.epoch + 1} of {position.epochs}, {figures}",
        )

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self._listener.on_epoch(_epoch(self._run, epoch), self._run.settings.epochs)


def _train(job: _Job, deployment: Deployment, listener: TrainingListener) -> _Done:
    began = time.monotonic()
    validation = None if job.validation is None else job.validation.samples
    run = fitting.Run(
        job.model,
        job.settings,
        job.training.samples,
        validation,
        resume=job.options.checkpoint if job.options.resume else None,
        make_trainer=partial(LockstepTrainer, deployment.device, base=job.base),
        should_stop=listener.should_stop,
    )
    lockstep = run.trainer
    resumed_at = run.epoch
    run.callbacks = [_ProgressCallback(run, listener)]
    if job.options.early_stopping is not None:
        run.callbacks.append(_early_stopping(job, has_validation=validation is not None))
    job.model.stop_training = False
    first = ""
    try:
        run.run(job.options.checkpoint, None)
    except fitting.StopRequested:
        raise _interrupted(job, run) from None
    except (LinkError, PortError) as error:
        stopped = _interrupted(job, run)
        # An interrupt from the keyboard reaches an emulator too, and ends it.
        if listener.should_stop():
            raise stopped from None
        raise LinkError(
            f"{error}; {stopped}; resume with --checkpoint {stopped.path} --resume"
        ) from error
    except BoardMismatch as difference:
        first = str(difference)
    board = lockstep.end()
    host = Trained(lockstep.image, lockstep.state, lockstep.counters)
    saved = (
        save_on_board(deployment.device, lockstep.session, board)
        if job.options.save_on_device
        else None
    )
    seconds = time.monotonic() - began
    outputs, answered = _answers(job, deployment, board.image, listener.progress)
    comparison = compare(
        board,
        host,
        job.model.graph,
        job.settings.config,
        results=lockstep.results + len(job.shown),
        first_result=first or answered,
    )
    return _Done(
        _epochs(run), run.history, resumed_at, comparison, outputs, tuple(lockstep.ticks), host,
        saved, seconds,
    )  # fmt: skip


def _early_stopping(job: _Job, *, has_validation: bool) -> EarlyStopping:
    """Host and board end with the weights of the last epoch, which both have."""
    watched = "val_loss" if has_validation else "loss"
    stopping = EarlyStopping(watched, patience=job.options.early_stopping or 1, restore_best=False)
    stopping.model = job.model
    return stopping


def _interrupted(job: _Job, run: fitting.Run[LockstepTrainer]) -> TrainingInterrupted:
    path = job.options.checkpoint or Path(f"byteprop-train-{job.board.name}.checkpoint")
    checkpoint.save(path, run.checkpoint())
    return TrainingInterrupted(
        f"stopped in epoch {run.epoch + 1} of {run.settings.epochs}, after {run.sample} of its "
        f"{len(run.samples)} samples; everything so far is in {path}",
        path,
    )


def _epochs(run: fitting.Run[LockstepTrainer]) -> tuple[Epoch, ...]:
    return tuple(_epoch(run, i) for i in range(len(run.history.epoch)))


def _epoch(run: fitting.Run[LockstepTrainer], i: int) -> Epoch:
    h = run.history.history
    n = len(run.samples)
    validation = None if run.held is None else _score(len(run.held), h, "val_", i)
    rate = run.settings.rate(int(run.settings.rates(i, 0, 1, n)[0]))
    return Epoch(i + 1, rate, _score(n, h, "", i), validation)


def _score(n: int, history: dict[str, list[float]], prefix: str, i: int) -> Score:
    loss = history[f"{prefix}loss"][i]
    if f"{prefix}accuracy" in history:
        return Score(n, loss, accuracy=history[f"{prefix}accuracy"][i])
    rmse = history[f"{prefix}rmse"][i] if f"{prefix}rmse" in history else math.sqrt(loss)
    return Score(n, loss, rmse=rmse)


def _answers(
    job: _Job, deployment: Deployment, trained: bytes, progress: Progress
) -> tuple[Rows, str]:
    """Outputs of the board with the trained weights, and in words the first one that differs from
    the host's."""
    device = deployment.device
    if not job.plan.in_flash:
        # The board has this image already, so nothing is sent unless it was reset since.
        device.load_image(trained)
    x = job.shown.samples.x
    got = np.empty((len(x), n_outputs(job.before)), np.uint8)
    for i, answer in enumerate(device.infer_stream((row.tobytes() for row in x), whole=True)):
        got[i] = np.frombuffer(answer.output, np.uint8)
        progress("answer", i + 1, len(x))
    same = job.model if job.model.image == trained else byteprop.load(trained)
    expected = same.opened.run(x)
    wrong = np.argwhere(got != expected)
    if not len(wrong):
        return got, ""
    i, k = (int(v) for v in wrong[0])
    return got, (
        f"{job.shown.name} sample {i}, output {k}: {got[i, k]} on the board, {expected[i, k]} "
        "on the host, with the same weights"
    )


# --- the result ---


def _result(
    job: _Job, deployment: Deployment, done: _Done, cautions: Sequence[str], began: float
) -> TrainingResult:
    config = job.settings.config
    graph = with_names(job.model.graph, job.names)
    model = byteprop.Model(graph)
    files, unsaved = _saved_files(model, job.options.save)
    return TrainingResult(
        model=job.options.subject.name,
        layers=sizes_text(graph),
        loss=loss_text(graph),
        inputs_reason=getattr(job.model, "inputs_reason", ""),
        board=job.board,
        is_emulated=deployment.is_emulated,
        build_id=deployment.device.info.build_id,
        settings=SettingsSummary(
            job.settings.epochs,
            job.settings.rate(job.settings.rate_q24),
            job.options.training.schedule_name,
            config,
            tuple(map(str, job.options.training.frozen_layers)),
            tuple(map(str, job.options.training.trained_layers or ())),
        ),
        split="; ".join((job.parts.how, *job.parts.notes)),
        parts=tuple(
            Part(e.name, len(e), raw.source, class_counts(model, e))
            for e, raw in zip(
                (p for p in (job.training, job.validation, job.test) if p is not None),
                job.parts.all,
                strict=True,
            )
        ),
        baseline=done.history.task.baseline or 0.0,
        epochs=done.epochs,
        resumed_at=done.resumed_at,
        finals=_finals(job, model, done),
        diagnosis=done.history.diagnosis,
        counters=done.host.counters,
        remarks=done.history.remarks,
        warnings=tuple(cautions),
        comparison=done.comparison,
        plan=job.plan,
        figures=_figures(deployment, done, began),
        confusion_of=job.shown.name,
        confusion=_confusion(job, model, done),
        pictures=_pictures(job, model, done),
        parameters=_parameters(job.model),
        before=job.before,
        after=graph,
        saved=done.saved,
        files=files,
        unsaved=unsaved,
        classes=job.classes,
    )


def _saved_files(
    model: byteprop.Model, paths: Sequence[Path]
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The files that were written, and the errors of the others: a full disk must not lose the
    result of the training."""
    files, unsaved = [], []
    for path in paths:
        try:
            model.save(path)
            files.append(path)
        except OSError as error:
            unsaved.append(error_text(error))
    return tuple(files), tuple(unsaved)


def _finals(job: _Job, model: byteprop.Model, done: _Done) -> tuple[Final, ...]:
    finals = []
    for part in (job.training, job.validation, job.test):
        if part is None:
            continue
        by_board = part is job.shown
        reached = score_outputs(model, part, done.outputs) if by_board else score(model, part)
        by = "by the board" if by_board else "by the host, with the board's weights"
        finals.append(Final(part.name, reached, by, job.at_start[part.name]))
    return tuple(finals)


def _given(job: _Job, model: byteprop.Model, done: _Done) -> Ints:
    dtype = model.graph.tensors[model.graph.outputs[0]].dtype.numpy
    given: Ints = done.outputs.view(dtype).argmax(axis=1)
    return given


def _confusion(job: _Job, model: byteprop.Model, done: _Done) -> Ints | None:
    if not has_classes(model.graph):
        return None
    labels = job.shown.samples.y.astype(np.int64)
    return confusion(labels, _given(job, model, done), n_outputs(model.graph))


def _pictures(job: _Job, model: byteprop.Model, done: _Done) -> Pictures | None:
    x = job.shown.samples.x
    side = square_side(x.shape[1])
    if side is None or not has_classes(model.graph):
        return None
    n = _MAX_PICTURES
    values = x[:n].view(model.graph.tensors[model.graph.inputs[0]].dtype.numpy)
    return Pictures(
        part=job.shown.name,
        images=to_grey(values).reshape(-1, side, side),
        given=_given(job, model, done)[:n],
        true=job.shown.samples.y[:n].astype(np.int64),
    )


def _parameters(model: byteprop.Model) -> tuple[Parameters, ...]:
    layers = model.get_weights()
    if sum(w.size for w, _ in layers) > _MOST_PARAMETERS:
        return ()
    return tuple(Parameters(w.tolist(), b.tolist()) for w, b in layers)


def _figures(deployment: Deployment, done: _Done, began: float) -> TrainingFigures:
    device = deployment.device
    stats = device.stats()
    ticks = done.ticks
    median = deployment.cost(float(np.median(ticks))) if ticks else None
    return TrainingFigures(
        ram_bytes=deployment.firmware.ram_bytes or None,
        flash_bytes=deployment.firmware.flash_bytes or None,
        stack_used_bytes=stats.stack_bytes - stats.stack_free,
        stack_bytes=stats.stack_bytes,
        unit=deployment.unit,
        sample_median=median,
        sample_max=deployment.cost(max(ticks)) if ticks else None,
        wire_bytes=device.wire_bytes,
        retransmissions=device.retransmissions,
        sessions_lost=device.sessions_lost,
        build_seconds=deployment.build_seconds,
        train_seconds=done.seconds,
        seconds=time.monotonic() - began,
    )
