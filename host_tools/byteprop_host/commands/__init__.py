"""The verbs of the `byteprop` command: one file each, which defines `VERB`."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from byteprop.support import files
from byteprop_host.console import Console
from byteprop_host.errors import error_text

if TYPE_CHECKING:
    import byteprop
    from byteprop_host.data.reading import Reading
    from byteprop_host.target import BoardTarget

EXIT_OK = 0
EXIT_DIFFERENT = 1
EXIT_ERROR = 2
EXIT_INTERRUPTED = 130
EXIT_CODES = """\
Exit codes:
  0    success; for verify, train, anomaly and classes, every byte is equal
  1    verify, train, anomaly and classes: a byte differs
  2    an error; the message on stderr says what to do next
  130  interrupted (129 and 143: ended by SIGHUP or SIGTERM)"""

NAMES = (
    "boards", "info", "build", "flash", "verify", "train", "anomaly", "classes", "run", "bench",
    "watch", "monitor", "convert", "quantize", "help",
)  # fmt: skip


@dataclass(frozen=True)
class Verb:
    """One subcommand. `run` returns the exit code; errors are raised. docs: a topic of the verb
    help."""

    name: str
    summary: str
    example: str
    configure: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Console], int]
    docs: str
    has_json: bool = True
    json_help: str = "the result, or the error, as JSON on stdout"


class Reported(Protocol):
    """A comparison of one or more boards with a reference, which has a report."""

    @property
    def identical(self) -> bool: ...
    def text(self) -> str: ...
    def to_json(self) -> dict[str, Any]: ...


def add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="model: .tflite or .bpm")
    add_dead_channels(parser)


def add_dead_channels(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keep-dead-channels",
        action="store_true",
        help="keep channels of a .tflite that are constant or never read (default: leave them out, "
        "which changes no output)",
    )


def add_rows(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rows",
        action="store_true",
        help="feed the model row by row: its first layers work while the rows of an image come, so "
        "the image is never in RAM as a whole (byteprop help rows)",
    )


def add_baked_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        "-m",
        type=Path,
        metavar="FILE",
        help="model to store in flash (default: none; upload it later)",
    )
    add_dead_channels(parser)


def load_baked(args: argparse.Namespace) -> byteprop.Model:
    """The model that the options of add_baked_model name."""
    import byteprop

    return byteprop.load(args.model, keep_dead_channels=args.keep_dead_channels)


def add_mlperf(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mlperf-tiny",
        metavar="BENCHMARK",
        help="firmware for the runner of MLPerf Tiny, instead of byteprop's own protocol: kws01, "
        "vww01, ic01 or ad01, with --model (byteprop help mlperf-tiny)",
    )


def add_board(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--board",
        "-b",
        default="host",
        metavar="BOARD",
        help="board to use (default: host, the device program as a process; "
        "`byteprop boards` lists them)",
    )


def add_port(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port",
        "-p",
        metavar="PORT",
        help="serial port of the board, for instance /dev/ttyACM0 (default: the port with the "
        "board's USB ids; if it is not plugged in, its emulator)",
    )
    parser.add_argument(
        "--probe",
        metavar="SERIAL",
        help="serial number of the board's debug probe, when several are plugged in",
    )
    parser.add_argument(
        "--emulated",
        action="store_true",
        help="use the board's emulator, even if such a board is plugged in",
    )
    parser.add_argument(
        "--timeout",
        type=positive_seconds,
        default=10.0,
        metavar="SECONDS",
        help="seconds to wait for a response before giving up; ten times as long while other signs "
        "of life arrive (default: %(default)g)",
    )


def add_session(parser: argparse.ArgumentParser) -> None:
    """Adds the board, its line, and the log of the line."""
    add_board(parser)
    add_port(parser)
    parser.add_argument(
        "--wire-log",
        type=Path,
        metavar="FILE",
        help="log every byte of the line to FILE, for `byteprop monitor --replay`",
    )


def target_from(args: argparse.Namespace) -> BoardTarget:
    """The board and line that the options of add_session name."""
    from byteprop_host.target import BoardTarget

    return BoardTarget.of(
        args.board,
        port=args.port,
        probe=args.probe,
        emulated=args.emulated,
        timeout=args.timeout,
        wire_log=args.wire_log,
    )


def add_samples(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    parser.add_argument(
        "--data",
        "-d",
        type=Path,
        required=required,
        metavar="PATH",
        help="samples: .npy, .npz (x and y), IDX (.gz too), .csv, .txt, or a file or folder of "
        "images or .wav, with a subfolder per class; `byteprop help data` has the "
        "rules" + ("" if required else " (default: generated ones)"),
    )
    parser.add_argument(
        "--samples", "-n", type=positive_int, metavar="N", help="use only the first N samples"
    )
    parser.add_argument(
        "--pixel-scale",
        type=_fraction,
        metavar="S",
        help="real value of 1 in the data (default: 1/255 for pixels)",
    )
    parser.add_argument(
        "--integers",
        choices=("codes", "pixels", "real"),
        help="meaning of integers: codes of the model's input, pixels, or real values (default: "
        "inferred from the values and the model)",
    )
    parser.add_argument(
        "--split",
        choices=("train", "test", "val"),
        help="part of an .npz or folder that has several, such as x_train and x_test",
    )
    parser.add_argument(
        "--header",
        choices=("yes", "no"),
        help="whether the first line of a .csv has titles (default: inferred from the columns)",
    )
    parser.add_argument(
        "--resize",
        type=image_size,
        metavar="HxW",
        help="height and width to scale images to, for instance 28x28 (default: they must have the "
        "model's)",
    )
    parser.add_argument(
        "--window",
        type=positive_int,
        metavar="N",
        help="values per sample of .wav files (default: as many as the model takes)",
    )
    parser.add_argument(
        "--hop",
        type=positive_int,
        metavar="N",
        help="values from one window of a .wav file to the next (default: the window)",
    )


def add_labels(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="labels or target values, if --data does not contain them; formats as for --data",
    )


def add_classes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--classes",
        type=Path,
        metavar="FILE",
        help="names of the classes, one per line (default: those in --data, else numbers)",
    )


def reading_from(args: argparse.Namespace) -> Reading:
    """How to read files, as the options of add_samples say."""
    from byteprop_host.data.reading import Reading

    return Reading(
        header=None if args.header is None else args.header == "yes",
        split=args.split,
        integers=args.integers,
        pixel_scale=args.pixel_scale,
        resize=args.resize,
        window=args.window,
        hop=args.hop,
    )


def add_saves(parser: argparse.ArgumentParser, *, files: str, device: str) -> None:
    """Where results go; what is written there, as --help says it."""
    parser.add_argument(
        "--save",
        "-o",
        type=Path,
        action="append",
        default=[],
        metavar="OUT",
        help=f"write {files}; repeatable",
    )
    parser.add_argument(
        "--save-on-device",
        action="store_true",
        help=f"save {device} and compare",
    )


def add_report(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.add_argument(
        "--report",
        type=Path,
        metavar="HTML",
        help=f"report to write (default: byteprop-{verb}-BOARD.html)",
    )
    parser.add_argument("--no-report", action="store_true", help="write no report")


def check_outputs(*paths: Path | None) -> None:
    """Raises OSError for the first file that cannot be written, before the work begins."""
    for path in paths:
        if path is not None:
            files.check_writable(path)


def print_result_and_report(
    args: argparse.Namespace,
    console: Console,
    result: Reported,
    name: str,
    write: Callable[[Path], None],
) -> int:
    """Prints the result and writes the report unless --no-report; returns the exit code.

    name: of the board or boards, for the name of the report.

    Text is printed before the report is written. JSON is one value, so it is printed after.
    """
    figures = result.to_json() | {"report": None}
    if not console.json_mode:
        console.result(result.text(), figures)
    if not args.no_report:
        path = args.report or Path(f"byteprop-{args.verb.name}-{name}.html")
        try:
            write(path)
        except Exception as error:
            figures["report_error"] = error_text(error)
            console.error(f"the report was not written: {error_text(error)}")
        else:
            figures["report"] = str(path)
            if not console.json_mode:
                console.line(f"report     {path}")
    if console.json_mode:
        console.result("", figures)
    return EXIT_OK if result.identical else EXIT_DIFFERENT


def _fraction(text: str) -> float:
    """A number, or a fraction such as 1/255."""
    top, stroke, bottom = text.partition("/")
    divisor = _number(bottom) if stroke else 1.0
    value = _number(top) / divisor if divisor else math.nan
    if not 0 < value <= 1e6:
        raise argparse.ArgumentTypeError(
            f"expected a number above 0 and up to 1,000,000, such as 1/255, got {text}"
        )
    return value


def image_size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9][0-9]{0,4})[xX*]([1-9][0-9]{0,4})", text)
    if found is None:
        raise argparse.ArgumentTypeError(
            f"expected height and width as 28x28, both from 1 to 99,999, got {text}"
        )
    return int(found[1]), int(found[2])


def positive_seconds(text: str) -> float:
    value = _number(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(
            f"expected a number of seconds above 0 and below 1,000,000, got {text}"
        )
    return value


def positive_number(text: str) -> float:
    value = _number(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(
            f"expected a number above 0 and below 1,000,000, got {text}"
        )
    return value


def positive_int(text: str) -> int:
    value = int(text) if re.fullmatch(r"\+?[0-9]{1,10}", text) else 0
    if not 1 <= value < 1 << 31:
        raise argparse.ArgumentTypeError(
            f"expected a whole number from 1 to {(1 << 31) - 1:,}, got {text}"
        )
    return value


def integer(text: str) -> int:
    if not re.fullmatch(r"[-+]?[0-9]{1,20}", text):
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text}")
    return int(text)


def share(text: str) -> float:
    value = _number(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"expected at least 0 and below 1, got {text}")
    return value


def number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, got {text}") from None


def _number(text: str) -> float:
    """The number, or NaN, which passes no comparison."""
    try:
        return float(text)
    except ValueError:
        return math.nan
