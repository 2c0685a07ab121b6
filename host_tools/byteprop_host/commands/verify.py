"""`byteprop verify`: checks that a board's outputs equal the reference, byte for byte."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from byteprop_host.commands import (
    EXIT_ERROR,
    Verb,
    add_classes,
    add_file,
    add_labels,
    add_report,
    add_samples,
    add_session,
    check_outputs,
    positive_int,
    print_result_and_report,
    reading_from,
    target_from,
)
from byteprop_host.console import Console

if TYPE_CHECKING:
    from byteprop_host.rig import Rig

# Options that hold for each of several boards.
FOR_EACH = frozenset(
    "data samples pixel_scale integers split header labels classes reference against "
    "keep_dead_channels no_other_kernels resize window hop".split()
)  # fmt: skip


def _configure(parser: argparse.ArgumentParser) -> None:
    add_file(parser)
    add_session(parser)
    parser.add_argument(
        "--rig",
        type=Path,
        metavar="FILE",
        help="verify on every board of a rig.toml (byteprop help rig); --board also takes several "
        "names with commas, and 'all': those that are plugged in or whose emulator is installed",
    )
    parser.add_argument(
        "--jobs",
        "-j",
        type=positive_int,
        metavar="N",
        help="boards at a time (default: as many as this computer has CPUs)",
    )
    add_samples(parser)
    add_labels(parser)
    add_classes(parser)
    parser.add_argument(
        "--reference",
        choices=("auto", "tflite", "numpy"),
        default="auto",
        help="reference implementation to compare with (default: tflite-runtime's reference "
        "kernels if installed, else byteprop's NumPy reference)",
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="MODEL",
        help="file that the reference runs instead of FILE, for instance the .tflite of a .bpm",
    )
    parser.add_argument(
        "--no-other-kernels",
        action="store_true",
        help="do not compare with the default kernels of LiteRT and tflite-runtime as well",
    )
    add_report(parser, "verify")


def _run(args: argparse.Namespace, console: Console) -> int:
    rig = _rig(args)
    return _verify_one(args, console) if rig is None else _verify_rig(args, console, rig)


def _verify_one(args: argparse.Namespace, console: Console) -> int:
    from byteprop_host.verify import verify
    from byteprop_host.verify.references import ReferenceKind
    from byteprop_host.verify.report import write_report

    check_outputs(args.report, args.wire_log)
    with console.progress() as progress:
        verdict = verify(
            args.file,
            target_from(args),
            data=args.data,
            labels=args.labels,
            samples=args.samples,
            reading=reading_from(args),
            reference=ReferenceKind(args.reference),
            against=args.against,
            keep_dead_channels=args.keep_dead_channels,
            classes=args.classes,
            other_kernels=not args.no_other_kernels,
            progress=progress,
        )
    return print_result_and_report(
        args, console, verdict, verdict.board.name, lambda path: write_report(verdict, path)
    )


# --- several boards ---


def _rig(args: argparse.Namespace) -> Rig | None:
    """The boards of --rig, or of a --board that names several; None: one board."""
    from byteprop.errors import ArgumentError
    from byteprop_host.rig import ALL, read_rig, rig_of

    several = args.board == ALL or ("," in args.board and not Path(args.board).exists())
    if args.rig is None and not several:
        return None
    wrong = [o for o in ("port", "probe", "wire_log") if getattr(args, o) is not None]
    if args.rig is not None:
        wrong += [o for o in ("board", "emulated") if getattr(args, o) != _default(args, o)]
    if wrong:
        option = wrong[0].replace("_", "-")
        raise ArgumentError(
            f"--{option} is for one board, got several; "
            + ("the rig's file says how each is reached" if args.rig else "use --rig")
        )
    if args.rig is not None:
        return read_rig(args.rig, timeout=args.timeout)
    return rig_of(args.board, emulated=args.emulated, timeout=args.timeout)


def _default(args: argparse.Namespace, option: str) -> object:
    return args.parser.get_default(option)


def _verify_rig(args: argparse.Namespace, console: Console, rig: Rig) -> int:
    from byteprop_host.verify.rig import verify_rig
    from byteprop_host.verify.rig_report import write_rig_report

    check_outputs(args.report)
    page = args.report or Path(f"byteprop-verify-{rig.name}.html")
    reports = {b.name: page.with_name(f"{page.stem}-{b.name}.html") for b in rig.boards}
    with console.progress() as progress:
        verdict = verify_rig(
            args.file,
            rig,
            options=_options(args),
            jobs=args.jobs,
            report_of=None if args.no_report else reports,
            progress=progress,
        )
    code = print_result_and_report(
        args, console, verdict, rig.name, lambda path: write_rig_report(verdict, path)
    )
    return code or (0 if verdict.all_were_run else EXIT_ERROR)


def _options(args: argparse.Namespace) -> list[str]:
    """The options that hold for each board, as they are typed."""
    options: list[str] = []
    for action in args.parser.actions():
        value = getattr(args, action.dest, None)
        if action.dest in FOR_EACH and value != action.default:
            name = action.option_strings[0]
            options += [name] if value is True else [name, str(value)]
    return options


VERB = Verb(
    name="verify",
    summary="build, flash, stream samples and compare every output byte with the reference",
    example="byteprop verify fashion.tflite --board mps2-an386 --data t10k.npz",
    configure=_configure,
    run=_run,
    docs="testing",
)
