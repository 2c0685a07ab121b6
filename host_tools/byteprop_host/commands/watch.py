"""`byteprop watch`: a live view of a board that infers or learns."""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

from byteprop_host.commands import (
    EXIT_DIFFERENT,
    EXIT_OK,
    Verb,
    add_classes,
    add_file,
    add_samples,
    add_session,
    check_outputs,
    positive_int,
    positive_number,
    positive_seconds,
    reading_from,
    target_from,
)
from byteprop_host.console import Console

if TYPE_CHECKING:
    from byteprop_host.training.job import Options
    from byteprop_host.watch.views import InferenceView


def _configure(parser: argparse.ArgumentParser) -> None:
    add_file(parser)
    add_session(parser)
    add_samples(parser)
    add_classes(parser)
    parser.add_argument(
        "--rate",
        type=positive_number,
        default=4.0,
        metavar="N",
        help="samples per second, at most (default: %(default)g)",
    )
    parser.add_argument(
        "--seconds",
        type=positive_seconds,
        metavar="S",
        help="how long to watch (default: until Ctrl-C)",
    )
    parser.add_argument(
        "--learn",
        action="store_true",
        help="let the board learn from labelled --data, and watch its loss; `byteprop train` has "
        "all options and saves the result",
    )
    parser.add_argument(
        "--epochs",
        "-e",
        type=positive_int,
        default=5,
        metavar="N",
        help="with --learn: passes over the samples (default: %(default)d)",
    )


def _run(args: argparse.Namespace, console: Console) -> int:
    check_outputs(args.wire_log)
    return _learn(args, console) if args.learn else _infer(args, console)


def _infer(args: argparse.Namespace, console: Console) -> int:
    from byteprop_host.watch.inference import infer_for_view
    from byteprop_host.watch.screen import Screen

    is_terminal = sys.stdout.isatty()
    views: list[InferenceView] = []
    stages = ["starting"]
    screen = Screen(sys.stdout, lambda width: views[0].lines(width) if views else stages[-1:])

    def show(view: InferenceView) -> None:
        if is_terminal:
            screen.draw()
        else:
            console.line(view.line())

    def progress(stage: str, done: int, total: int, note: str = "") -> None:
        stages.append(f"{stage} {note}".rstrip())
        if is_terminal:
            screen.draw()

    if args.seconds is None:
        console.note("press Ctrl-C to stop")
    # Without --seconds, Ctrl-C is the way to end it.
    with suppress(KeyboardInterrupt) if args.seconds is None else nullcontext():
        with screen if is_terminal else nullcontext():
            infer_for_view(
                args.file,
                target_from(args),
                show,
                data=args.data,
                samples=args.samples,
                reading=reading_from(args),
                classes=args.classes,
                keep_dead_channels=args.keep_dead_channels,
                per_second=args.rate,
                seconds=args.seconds,
                started=views.append,
                progress=progress,
            )
    return EXIT_OK


def _learn(args: argparse.Namespace, console: Console) -> int:
    from byteprop.errors import ArgumentError
    from byteprop_host.training.job import TrainingListener, train
    from byteprop_host.training.scores import Epoch
    from byteprop_host.watch.screen import Screen
    from byteprop_host.watch.views import TrainingView

    if args.data is None:
        raise ArgumentError("--learn: expected --data with labelled samples, got none")
    target = target_from(args)
    view = TrainingView(f"{args.file.name} learns on {target.board.title} ({target.board.cpu})")
    is_terminal = sys.stdout.isatty()
    screen = Screen(sys.stdout, view.lines)

    def progress(stage: str, done: int, total: int, note: str = "") -> None:
        view.status, view.done, view.total = f"{stage} {note}".rstrip(), done, total
        if is_terminal:
            screen.draw()

    def on_epoch(epoch: Epoch, epochs: int) -> None:
        view.epochs.append(epoch)
        if not is_terminal:
            console.line(view.epoch_line(epoch))

    with screen if is_terminal else nullcontext():
        result = train(
            _options(args),
            target,
            listener=TrainingListener(progress=progress, on_epoch=on_epoch, on_logs=view.add),
        )
    console.line(result.text())
    return EXIT_OK if result.identical else EXIT_DIFFERENT


def _options(args: argparse.Namespace) -> Options:
    from byteprop.training.options import TrainOptions
    from byteprop_host.training.data import Sources
    from byteprop_host.training.job import Options
    from byteprop_host.training.subject import Subject

    return Options(
        subject=Subject(file=args.file, keep_dead_channels=args.keep_dead_channels),
        sources=Sources(data=args.data, limit=args.samples, reading=reading_from(args)),
        training=TrainOptions(epochs=args.epochs),
    )


VERB = Verb(
    name="watch",
    summary="watch a board infer or learn, live in the terminal",
    example="byteprop watch fashion.tflite --board mps2-an386 --data t10k.npz",
    configure=_configure,
    run=_run,
    docs="watch",
    has_json=False,
)
