"""`byteprop anomaly`: a board learns what is normal, and finds what is not."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from byteprop_host.commands import (
    Verb,
    add_file,
    add_report,
    add_samples,
    add_saves,
    add_session,
    check_outputs,
    integer,
    number,
    positive_int,
    positive_seconds,
    print_result_and_report,
    reading_from,
    share,
    target_from,
)
from byteprop_host.console import Console

if TYPE_CHECKING:
    from byteprop.training.options import TrainOptions
    from byteprop_host.anomaly import Options

_NO_DRIFT = (0.0, 1)


def _configure(parser: argparse.ArgumentParser) -> None:
    add_file(parser)
    add_session(parser)
    add_samples(parser, required=True)
    parser.add_argument(
        "--test",
        type=Path,
        metavar="PATH",
        help="windows to judge, in their order; with labels (0 or `normal`: in order, all others "
        "faults) the result says how many faults were found",
    )
    parser.add_argument(
        "--test-labels", type=Path, metavar="FILE", help="labels of --test, if it has none"
    )
    _add_detector(parser)
    _add_training(parser)
    add_saves(
        parser,
        files="model and threshold (.bpd) or the model (.tflite, .bpm)",
        device="model and threshold in the board's flash, reset the board, read them back",
    )
    add_report(parser, "anomaly")


def _add_detector(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--percentile",
        type=_percentile,
        default=99.0,
        metavar="P",
        help="percent of windows in order that are at or below the threshold (default: 99)",
    )
    parser.add_argument(
        "--votes",
        type=_votes,
        default=(3, 5),
        metavar="K/N",
        help="an alarm is K of the last N windows above the threshold (default: 3/5)",
    )
    parser.add_argument(
        "--drift",
        type=_drift,
        default=(1.5, 6),
        metavar="R/S",
        help="drift is a mean score above R times that of windows in order, to which each window "
        "adds 2^-S of the way; or none (default: 1.5/6)",
    )
    parser.add_argument(
        "--seconds",
        type=positive_seconds,
        metavar="S",
        help="seconds from one window to the next, for false alarms per hour",
    )


def _add_training(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--train",
        action="append",
        metavar="LAYER",
        help="train the model on the board first, to return its input: all, last, last:2, a name "
        "or an index; repeatable (default: it stays as it is)",
    )
    parser.add_argument(
        "--hold",
        type=share,
        default=0.2,
        metavar="SHARE",
        help="with --train: the last windows of --data, which the threshold is learnt from "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--epochs",
        "-e",
        type=positive_int,
        default=5,
        metavar="N",
        help="with --train: passes over the windows (default: %(default)d)",
    )
    parser.add_argument(
        "--learning-rate", "--lr", type=number, metavar="R", help="with --train: initial rate"
    )
    parser.add_argument(
        "--seed", type=integer, default=0, metavar="N", help="with --train: seed of the rounding"
    )


def _run(args: argparse.Namespace, console: Console) -> int:
    from byteprop_host.anomaly import detect
    from byteprop_host.anomaly.report import write_report

    check_outputs(*args.save, args.report, args.wire_log)
    with console.progress() as progress:
        result = detect(_options(args), target_from(args), progress=progress)
    return print_result_and_report(
        args, console, result, result.board.name, lambda path: write_report(result, path)
    )


def _options(args: argparse.Namespace) -> Options:
    from byteprop.engine._raw_anomaly import Config
    from byteprop.errors import ArgumentError
    from byteprop_host.anomaly import Options

    if args.test_labels is not None and args.test is None:
        raise ArgumentError("--test-labels: expected --test with it, got none")
    ratio, shift = args.drift
    return Options(
        file=args.file,
        data=args.data,
        test=args.test,
        test_labels=args.test_labels,
        limit=args.samples,
        reading=reading_from(args),
        config=Config(
            permille=round(args.percentile * 10),
            votes=args.votes[0],
            window=args.votes[1],
            drift_shift=shift,
            drift_ratio=round(16 * ratio),
        ),
        train=None if args.train is None else _training(args),
        hold=args.hold,
        seconds=args.seconds,
        save=tuple(args.save),
        save_on_device=args.save_on_device,
        keep_dead_channels=args.keep_dead_channels,
    )


def _training(args: argparse.Namespace) -> TrainOptions:
    from byteprop.training.options import TrainOptions

    layers = tuple(int(a) if re.fullmatch("[0-9]{1,9}", a) else a for a in args.train)
    return TrainOptions(
        epochs=args.epochs,
        learning_rate=args.learning_rate,
        seed=args.seed,
        train=None if layers == ("all",) else layers,
        autoencoder=True,
    )


def _percentile(text: str) -> float:
    value = number(text)
    if not 0.1 <= value <= 99.9:
        raise argparse.ArgumentTypeError(f"expected 0.1 to 99.9, got {text}")
    return value


def _votes(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,2})/([0-9]{1,2})", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]) <= 32:
        raise argparse.ArgumentTypeError(
            f"expected votes and windows, at most 32, such as 3/5, got {text}"
        )
    return int(found[1]), int(found[2])


def _drift(text: str) -> tuple[float, int]:
    if text == "none":
        return _NO_DRIFT
    found = re.fullmatch(r"([0-9]{1,2}(?:\.[0-9]{1,3})?)/([0-9]{1,2})", text)
    ratio, shift = (0.0, 0) if found is None else (float(found[1]), int(found[2]))
    if not 1 <= round(16 * ratio) <= 255 or not 1 <= shift <= 16:
        raise argparse.ArgumentTypeError(
            f"expected a ratio below 16 and a shift from 1 to 16, such as 1.5/6, or none, got "
            f"{text}"
        )
    return ratio, shift


VERB = Verb(
    name="anomaly",
    summary="learn on a board what is normal, and find what is not",
    example="byteprop anomaly machine.tflite --board mps2-an386 --data normal.npz --test test.npz",
    configure=_configure,
    run=_run,
    docs="anomaly",
)
