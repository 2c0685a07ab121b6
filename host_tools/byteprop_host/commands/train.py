"""`byteprop train`: trains on a board, and compares it with the same training on the host."""

from __future__ import annotations

import argparse
import re
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from byteprop_host.commands import (
    EXIT_ERROR,
    EXIT_INTERRUPTED,
    Verb,
    add_classes,
    add_dead_channels,
    add_labels,
    add_report,
    add_samples,
    add_saves,
    add_session,
    check_outputs,
    integer,
    number,
    positive_int,
    print_result_and_report,
    reading_from,
    share,
    target_from,
)
from byteprop_host.console import Console

if TYPE_CHECKING:
    from byteprop_host.training.job import Options
    from byteprop_host.training.scores import Epoch

_SAME_INTERRUPT_SECONDS = 0.5
_MOST_LINES = 40  # of epochs, so that a thousand of them do not fill the screen


def _configure(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--model", "-m", type=Path, metavar="FILE", help="model: .tflite or .bpm")
    what.add_argument(
        "--net",
        metavar="SIZES",
        help="new network with these layer sizes, from inputs to outputs, such as 784-20-10",
    )
    add_dead_channels(parser)
    add_session(parser)
    add_samples(parser, required=True)
    _add_parts(parser)
    _add_learning(parser)
    _add_results(parser)


def _add_parts(parser: argparse.ArgumentParser) -> None:
    add_labels(parser)
    add_classes(parser)
    for name in ("validation", "test"):
        parser.add_argument(
            f"--{name}-data", type=Path, metavar="FILE", help=f"separate file of {name} samples"
        )
        parser.add_argument(
            f"--{name}-split",
            type=share,
            metavar="SHARE",
            help=f"share of --data for the {name} set (default: 0.1 if it has 100 samples or more)",
        )


def _add_learning(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--epochs",
        "-e",
        type=positive_int,
        default=5,
        metavar="N",
        help="passes over the samples (default: %(default)d)",
    )
    parser.add_argument(
        "--early-stopping",
        type=positive_int,
        metavar="N",
        help="stop after N epochs in which the validation loss (or, without validation, the loss) "
        "did not fall",
    )
    parser.add_argument(
        "--learning-rate",
        "--lr",
        type=number,
        metavar="R",
        help="initial learning rate (default: 0.005 for classification, 0.02 with normalized "
        "inputs or for a model file, 0.01 for regression; lower for large inputs)",
    )
    parser.add_argument(
        "--schedule",
        choices=("linear", "constant", "cosine", "step"),
        default="linear",
        help="learning-rate schedule (default: %(default)s; all but constant decay)",
    )
    parser.add_argument(
        "--batch-size",
        type=positive_int,
        default=1,
        metavar="N",
        help="samples per update (default: 1; larger batches need 4 more bytes of RAM per weight)",
    )
    parser.add_argument(
        "--momentum",
        type=number,
        default=0.0,
        metavar="BETA",
        help="1 - 2^-k, such as 0.875 (default: 0; momentum needs 4 more bytes of RAM per weight)",
    )
    parser.add_argument(
        "--rounding",
        choices=("stochastic", "nearest"),
        default="stochastic",
        help="rounding of updates (default: %(default)s)",
    )
    parser.add_argument(
        "--no-residual",
        action="store_true",
        help="train without 8-bit residuals: half the RAM, lower accuracy",
    )
    parser.add_argument(
        "--train",
        action="append",
        default=None,
        metavar="LAYER",
        help="dense layer that learns: last, last:2 for the last two, a name or an index (see "
        "`byteprop info`); repeatable (default: all). Layers before it stay as they are",
    )
    parser.add_argument(
        "--freeze",
        action="append",
        default=[],
        metavar="LAYER",
        help="dense layer to keep unchanged, by name or index (see `byteprop info`); repeatable",
    )
    parser.add_argument(
        "--seed",
        type=integer,
        default=0,
        metavar="N",
        help="seed for initial weights, shuffling and rounding",
    )
    parser.add_argument(
        "--no-shuffle", action="store_true", help="keep the samples in the order of the file"
    )
    for name in ("input", "output"):
        parser.add_argument(
            f"--{name}-range",
            type=number,
            nargs=2,
            metavar=("LOW", "HIGH"),
            help=f"range of the {name} values, for --net (default: that of the samples)",
        )


def _add_results(parser: argparse.ArgumentParser) -> None:
    add_saves(
        parser,
        files="the trained model: .tflite, .bpm or .h",
        device="the model in the board's flash, reset the board, read it back",
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="checkpoint file, rewritten after every epoch and on Ctrl-C",
    )
    parser.add_argument(
        "--resume", action="store_true", help="resume from the file given with --checkpoint"
    )
    add_report(parser, "train")


def _run(args: argparse.Namespace, console: Console) -> int:
    from byteprop_host.training.job import TrainingInterrupted, TrainingListener, train
    from byteprop_host.training.report import write_report

    check_outputs(*args.save, args.checkpoint, args.report, args.wire_log)
    try:
        with console.progress() as progress, _stoppable(console) as stop:
            result = train(
                _options(args),
                target_from(args),
                listener=TrainingListener(
                    progress=progress,
                    on_plan=lambda needs: console.note(f"memory: {needs.text}"),
                    on_epoch=lambda epoch, epochs: _print_epoch(console, epoch, epochs),
                    should_stop=stop,
                ),
            )
    except TrainingInterrupted as stopped:
        console.error(f"{stopped}; resume with: {_resume_command(args, stopped.path)}")
        return EXIT_INTERRUPTED
    code = print_result_and_report(
        args, console, result, result.board.name, lambda path: write_report(result, path)
    )
    for reason in result.unsaved:
        console.error(reason)
    return EXIT_ERROR if result.unsaved else code


def _options(args: argparse.Namespace) -> Options:
    from byteprop.training.options import TrainOptions
    from byteprop_host.training.data import Sources
    from byteprop_host.training.job import Options
    from byteprop_host.training.subject import Subject

    return Options(
        subject=Subject(
            file=args.model,
            net=args.net,
            input_range=None if args.input_range is None else tuple(args.input_range),
            output_range=None if args.output_range is None else tuple(args.output_range),
            keep_dead_channels=args.keep_dead_channels,
        ),
        sources=Sources(
            data=args.data,
            labels=args.labels,
            validation=args.validation_data,
            test=args.test_data,
            validation_split=args.validation_split,
            test_split=args.test_split,
            limit=args.samples,
            reading=reading_from(args),
        ),
        training=TrainOptions(
            epochs=args.epochs,
            learning_rate=args.learning_rate,
            schedule=args.schedule,
            batch_size=args.batch_size,
            seed=args.seed,
            shuffle=not args.no_shuffle,
            train=None if args.train is None else _layers(args.train),
            freeze=_layers(args.freeze),
            momentum=args.momentum,
            rounding=args.rounding,
            residual=not args.no_residual,
        ),
        save=tuple(args.save),
        save_on_device=args.save_on_device,
        checkpoint=args.checkpoint,
        resume=args.resume,
        classes=args.classes,
        early_stopping=args.early_stopping,
    )


def _layers(chosen: Sequence[str]) -> tuple[int | str, ...]:
    return tuple(int(layer) if re.fullmatch("[0-9]{1,9}", layer) else layer for layer in chosen)


def _print_epoch(console: Console, epoch: Epoch, epochs: int) -> None:
    every = -(-epochs // _MOST_LINES)
    if epoch.number % every and epoch.number != epochs:
        return
    validation = "" if epoch.validation is None else f"; validation {epoch.validation}"
    console.note(f"epoch {epoch.number} of {epochs}: {epoch.training}{validation}")


def _resume_command(args: argparse.Namespace, path: Path) -> str:
    """The command that resumes the training of these arguments from a checkpoint."""
    parser = argparse.ArgumentParser(add_help=False)
    _configure(parser)
    given = vars(args) | {"checkpoint": path, "resume": True}
    words = ["byteprop", "train"]
    for action in parser._actions:
        value = given[action.dest]
        if value != action.default:
            words += _words(action, value)
    return shlex.join(words)


def _words(action: argparse.Action, value: Any) -> list[str]:
    """The words of an option with its value or values."""
    name = next(s for s in action.option_strings if s.startswith("--"))
    if action.nargs == 0:
        return [name]
    if isinstance(value, list) and action.nargs is None:  # an option that is repeated
        return [word for item in value for word in (name, str(item))]
    return [name, *map(str, value)] if isinstance(value, list) else [name, str(value)]


class _Stop:
    """Reports whether the user asked to stop. Before the first call there is nothing to keep."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._is_training = False
        self._interrupted_at: float | None = None

    def __call__(self) -> bool:
        self._is_training = True
        return self._interrupted_at is not None

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """The first interrupt stops after the sample, so that nothing is lost; a later one at once.
        Some senders send two at a time, to a process and to its group."""
        now = time.monotonic()
        if not self._is_training:
            raise KeyboardInterrupt
        if self._interrupted_at is not None:
            if now - self._interrupted_at > _SAME_INTERRUPT_SECONDS:
                raise KeyboardInterrupt
            return
        self._interrupted_at = now
        self._console.note("stopping; interrupt again to stop at once, without a checkpoint")


@contextmanager
def _stoppable(console: Console) -> Iterator[Callable[[], bool]]:
    stop = _Stop(console)
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.signal(signal.SIGINT, stop.interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


VERB = Verb(
    name="train",
    summary="train a model on a board and check that its weights equal the host's, bit for bit",
    example="byteprop train --board mps2-an386 --net 784-20-10 --data t10k.npz --epochs 5 "
    "--save tuned.tflite",
    configure=_configure,
    run=_run,
    docs="training",
)
