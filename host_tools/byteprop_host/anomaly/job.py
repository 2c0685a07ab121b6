"""A board learns a threshold from windows of a machine in order, after training the model if that
is asked for, and judges other windows; the host does the same, and every byte is compared."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

import byteprop
from byteprop.anomaly import AnomalyDetector, Figures, figures_of
from byteprop.engine._raw_anomaly import RANKS, Config, Verdict
from byteprop.engine._raw_anomaly import scores as scores_of
from byteprop.errors import ArgumentError
from byteprop.training import fit as fitting
from byteprop.training.callbacks import Callback, Logs, Position
from byteprop.training.options import TrainOptions
from byteprop.training.samples import Samples, targets_of_inputs
from byteprop_host.anomaly.result import Costs, DetectionResult, Scores, Trained
from byteprop_host.anomaly.windows import Windows, read_windows
from byteprop_host.console import Progress, no_progress
from byteprop_host.data.reading import Reading
from byteprop_host.deployment import Deployment, connect, deploy
from byteprop_host.errors import AnswerError, DoesNotFitError
from byteprop_host.firmware.build import build
from byteprop_host.firmware.capacity import TrainingNeeds, baked_image
from byteprop_host.link import DetectorSession
from byteprop_host.target import BoardTarget
from byteprop_host.training.compare import Trained as TrainedBytes
from byteprop_host.training.compare import first_difference
from byteprop_host.training.lockstep import BoardMismatch, LockstepTrainer
from byteprop_host.training.plan import check_plan, plan_training
from byteprop_host.training.subject import strip_names, with_names

SUFFIXES = (".bpd", ".tflite", ".bpm")
# Fields of answers in which the board decides otherwise than this computer; others are malformed.
_DECIDED = frozenset({"score", "scores learnt from", "above", "votes", "alarm", "drifts"})


@dataclass(frozen=True)
class Options:
    """train: how the model is trained on the first windows, before the threshold is learnt from the
    last `hold` of them; None: it is not. seconds: from one window to the next."""

    file: Path
    data: Path
    test: Path | None = None
    test_labels: Path | None = None
    limit: int | None = None
    reading: Reading = field(default_factory=Reading)
    config: Config = field(default_factory=Config)
    train: TrainOptions | None = None
    hold: float = 0.2
    seconds: float | None = None
    save: tuple[Path, ...] = ()
    save_on_device: bool = False
    keep_dead_channels: bool = False


def detect(
    options: Options, on: BoardTarget, *, progress: Progress = no_progress
) -> DetectionResult:
    """A difference is no error but a result."""
    began = time.monotonic()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", byteprop.TrainingWarning)
        job = _Job.prepare(options, on)
    cautions = tuple(dict.fromkeys(str(w.message) for w in caught))
    with _deployed(job, on, progress) as deployment:
        done = _run(job, deployment, progress)
        costs = _costs(deployment, done.ticks, began)
    files = _save(job, done)
    test = job.test
    return DetectionResult(
        model=str(options.file),
        board=deployment.board,
        is_emulated=deployment.is_emulated,
        build_id=deployment.device.info.build_id,
        config=options.config,
        normal=str(options.data),
        test="" if test is None else test.source,
        first=done.first,
        threshold=done.threshold,
        learnt=done.learnt,
        verdicts=tuple(done.verdicts),
        is_fault=None if test is None or done.first else test.is_fault,
        figures=_figures(done.verdicts, test),
        trained=done.trained,
        costs=costs,
        saved=done.saved,
        files=files,
        seconds_per_window=options.seconds,
        warnings=cautions,
    )


@dataclass(frozen=True)
class _Job:
    """Everything that is known before the board is used. settings, plan and base: of training; base
    is the image in the board's flash if that is trained there."""

    options: Options
    model: byteprop.Model
    names: tuple[str, ...]
    training: Windows | None
    normal: Windows
    test: Windows | None
    settings: fitting.Settings | None = None
    plan: TrainingNeeds | None = None
    base: bytes | None = None

    @staticmethod
    def prepare(options: Options, on: BoardTarget) -> _Job:
        _check(options, on)
        model = byteprop.load(options.file, keep_dead_channels=options.keep_dead_channels)
        read = partial(read_windows, model, reading=options.reading)
        options.reading.check_used(options.data, options.test)
        data = read(options.data, limit=options.limit).in_order()
        test = None if options.test is None else read(options.test, labels=options.test_labels)
        if not len(data):
            raise ArgumentError(f"{options.data}: expected windows of a machine in order, got none")
        _check_autoencoder(model, data)
        names = strip_names(model)
        if options.train is None:
            _check_count(options, len(data))
            return _Job(options, model, names, None, data, test)
        held = max(1, int(len(data) * options.hold + 0.5))
        if held >= len(data):
            raise ArgumentError(
                f"--hold: {options.hold:g} of {len(data)} windows leaves none to train on"
            )
        _check_count(options, held)
        training = replace(data, rows=np.ascontiguousarray(data.rows[:-held]))
        normal = replace(data, rows=np.ascontiguousarray(data.rows[-held:]))
        settings = fitting.settings_of(model, _samples(model, training), options.train)
        plan = plan_training(on.board, model.image, settings.config, anomaly=True)
        check_plan(plan, settings.config)
        base = baked_image(model.image) if plan.in_flash else None
        return _Job(options, model, names, training, normal, test, settings, plan, base)


def _check(options: Options, on: BoardTarget) -> None:
    for path in options.save:
        if path.suffix not in SUFFIXES:
            raise ArgumentError(
                f"--save: expected a name that ends in {', '.join(SUFFIXES)}, got {path}"
            )
    if options.save_on_device and not on.board.memory.save_slot_bytes:
        raise DoesNotFitError(
            f"--save-on-device: {on.board.name} has no flash that it can save to; "
            "`byteprop boards` shows boards that have; --save writes a file on this computer"
        )


def _check_autoencoder(model: byteprop.Model, windows: Windows) -> None:
    """ArgumentError unless the model returns something like its input."""
    row = windows.rows[:1]
    scores_of(model.opened, row, np.ascontiguousarray(model.opened.run(row)))


def _check_count(options: Options, n: int) -> None:
    most = (RANKS * 1000 - 1) // (1000 - options.config.permille)
    if n > most:
        raise ArgumentError(
            f"{options.data}: a threshold of {options.config.permille / 10:g} % is learnt from at "
            f"most {most:,} windows, got {n:,}; use --samples {most}, or a higher --percentile"
        )


def _samples(model: byteprop.Model, windows: Windows) -> Samples:
    return Samples(windows.rows, targets_of_inputs(model.graph, windows.rows, windows.source))


@contextmanager
def _deployed(job: _Job, on: BoardTarget, progress: Progress) -> Iterator[Deployment]:
    """Firmware with a detector, running; with the model unless it is going to be trained."""
    if job.settings is None:
        with deploy(on, job.model.image, anomaly=True, progress=progress) as deployment:
            yield deployment
        return
    firmware = build(on.board, job.base, train=True, anomaly=True, progress=progress)
    with connect(on, firmware, progress=progress) as deployment:
        yield deployment


# --- on the board ---


@dataclass
class _Done:
    """Results from the board, as far as they are the host's. first: the first that is not."""

    image: bytes
    state: bytes = b""
    threshold: int = 0
    learnt: Scores = field(default_factory=lambda: np.zeros(0))
    verdicts: list[Verdict] = field(default_factory=list)
    ticks: list[int] = field(default_factory=list)
    trained: Trained | None = None
    saved: str = ""
    first: str = ""


def _run(job: _Job, deployment: Deployment, progress: Progress) -> _Done:
    done = _Done(baked_image(job.model.image))
    if job.settings is not None:
        _train(job, job.settings, deployment, done, progress)
        if done.first:
            return done
    session = DetectorSession(deployment.device, done.image, job.options.config)
    try:
        _learn(job, session, done, progress)
        if job.options.save_on_device:
            done.saved = _save_on_board(session, deployment)
        _judge(job, session, done, progress)
        session.digest()
    except AnswerError as error:
        if error.field not in _DECIDED:
            raise
        done.first = str(error).partition("; its firmware")[0]
    done.state = session.state
    return done


def _learn(job: _Job, session: DetectorSession, done: _Done, progress: Progress) -> None:
    n, found = len(job.normal), []
    for i, learnt in enumerate(session.learn(row.tobytes() for row in job.normal.rows)):
        found.append(learnt.score)
        done.ticks.append(learnt.ticks)
        progress("learn", i + 1, n)
    done.learnt = np.array(found, np.float64)
    done.threshold = session.threshold


def _judge(job: _Job, session: DetectorSession, done: _Done, progress: Progress) -> None:
    if job.test is None:
        return
    n = len(job.test)
    for i, judged in enumerate(session.judge(row.tobytes() for row in job.test.rows)):
        done.verdicts.append(judged.verdict)
        done.ticks.append(judged.ticks)
        progress("judge", i + 1, n, note="alarm" if judged.verdict.alarm else "")


def _save_on_board(session: DetectorSession, deployment: Deployment) -> str:
    saved = session.save()
    deployment.device.reset()
    session.restore()
    return (
        f"in the board's flash, slot {saved.slot}, as number {saved.sequence}; read back identical "
        "after a reset"
    )


class _Epochs(Callback):
    def __init__(self, report: Callable[[Position, Logs], None]) -> None:
        self._report = report

    def on_progress(self, position: Position, logs: Logs) -> None:
        self._report(position, logs)


def _train(
    job: _Job,
    settings: fitting.Settings,
    deployment: Deployment,
    done: _Done,
    progress: Progress,
) -> None:
    """Every step on the board and here."""
    assert job.training is not None and job.plan is not None

    def report(position: Position, logs: Logs) -> None:
        at = position.epoch * position.samples + position.sample
        figures = ", ".join(f"{name} {value:.4g}" for name, value in logs.items())
        progress("train", at, position.epochs * position.samples, note=figures)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", byteprop.TrainingWarning)
        run = fitting.Run(
            job.model,
            settings,
            _samples(job.model, job.training),
            None,
            resume=None,
            make_trainer=partial(LockstepTrainer, deployment.device, base=job.base),
        )
        run.callbacks = [_Epochs(report)]
        try:
            run.run(None, None)
        except BoardMismatch as difference:
            done.first = str(difference)
            return
    lockstep = run.trainer
    board = lockstep.end()
    host = TrainedBytes(lockstep.image, lockstep.state, lockstep.counters)
    done.first = first_difference(board, host, settings.config)
    done.image = board.image
    loss = run.history.history["loss"][-1]
    done.trained = Trained(
        len(job.training), settings.epochs, host.counters.steps, float(loss), job.plan.text
    )


# --- the result ---


def _figures(verdicts: list[Verdict], test: Windows | None) -> Figures | None:
    if test is None or test.is_fault is None or len(verdicts) != len(test):
        return None
    if test.is_fault.all() or not test.is_fault.any():
        return None
    return figures_of(verdicts, test.is_fault)


def _costs(deployment: Deployment, ticks: list[int], began: float) -> Costs:
    device, memory = deployment.device, deployment.board.memory
    stats = device.stats()
    return Costs(
        ram_bytes=deployment.firmware.ram_bytes or None,
        flash_bytes=deployment.firmware.flash_bytes or None,
        ram_available=memory.ram_bytes,
        flash_available=memory.flash_bytes,
        stack_used_bytes=stats.stack_bytes - stats.stack_free,
        stack_bytes=stats.stack_bytes,
        unit=deployment.unit,
        window_median=deployment.cost(float(np.median(ticks))) if ticks else None,
        wire_bytes=device.wire_bytes,
        retransmissions=device.retransmissions,
        sessions_lost=device.sessions_lost,
        seconds=time.monotonic() - began,
    )


def _save(job: _Job, done: _Done) -> tuple[Path, ...]:
    """Nothing is written of a result that differs."""
    if done.first:
        return ()
    model = byteprop.Model(with_names(byteprop.load(done.image).graph, job.names))
    for path in job.options.save:
        if path.suffix == ".bpd":
            AnomalyDetector.from_state(model, done.state).save(path)
        else:
            model.save(path)
    return job.options.save
