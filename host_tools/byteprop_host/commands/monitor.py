"""`byteprop monitor`: shows the frames on a line, live or from a wire log."""

from __future__ import annotations

import argparse
import json
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from byteprop.errors import ArgumentError
from byteprop_host.colours import RED, YELLOW
from byteprop_host.commands import EXIT_OK, Verb, positive_seconds
from byteprop_host.console import Console

if TYPE_CHECKING:
    from byteprop_host.link import Frame, LoggedFrame


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", "-p", metavar="PORT", help="port to listen at; nothing is sent")
    parser.add_argument(
        "--baud", type=int, default=115_200, help="baud rate of the line (default: %(default)d)"
    )
    parser.add_argument(
        "--replay",
        type=Path,
        metavar="LOG",
        help="show the frames of a log that --wire-log wrote",
    )
    parser.add_argument(
        "--bytes",
        action="store_true",
        help="also show ack and payload of each frame, in hexadecimal",
    )
    parser.add_argument(
        "--seconds",
        type=positive_seconds,
        metavar="S",
        help="how long to listen (default: until Ctrl-C)",
    )


def _run(args: argparse.Namespace, console: Console) -> int:
    if (args.port is None) == (args.replay is None):
        raise ArgumentError("expected either --port to listen at or --replay with a wire log")
    if args.replay is not None:
        from byteprop_host.link import replay

        for frame in replay(args.replay):
            _show(frame, args, console)
    else:
        # Without --seconds, Ctrl-C is the way to end it.
        with suppress(KeyboardInterrupt) if args.seconds is None else nullcontext():
            _listen(args, console)
    return EXIT_OK


def _listen(args: argparse.Namespace, console: Console) -> None:
    from byteprop_host.link import Decoder, LoggedFrame, open_transport
    from byteprop_host.link.messages import describe

    transport = open_transport(args.port, baud=args.baud)
    decoder = Decoder()
    began = time.monotonic()
    until = "press Ctrl-C to stop" if args.seconds is None else f"for {args.seconds:g} s"
    console.note(f"listening at {args.port}, {args.baud} baud; {until}")
    try:
        while args.seconds is None or time.monotonic() - began < args.seconds:
            bad = decoder.bad_frames
            for frame in decoder.feed(transport.read(0.1)):
                now = time.monotonic() - began
                _show(LoggedFrame(now, "rx", frame, describe(frame)), args, console)
            if decoder.bad_frames > bad:
                console.note(
                    f"{decoder.bad_frames} damaged frames; if this continues, check that the board "
                    f"uses {args.baud} baud"
                )
    finally:
        transport.close()


def _show(logged: LoggedFrame, args: argparse.Namespace, console: Console) -> None:
    from byteprop_host.link import frame_line
    from byteprop_host.link.meaning import meaning

    frame = logged.frame
    if args.json:
        entry = {
            "time": logged.time,
            "direction": logged.direction,
            "type": frame.type,
            "seq": frame.seq,
            "ack": frame.ack,
            "text": logged.text,
            "meaning": meaning(frame),
            "payload": frame.payload.hex(),
        }
        console.line(json.dumps(entry))
        return
    console.line(frame_line(logged), colour=_colour(frame))
    if args.bytes:
        console.line(f"{'':13} ack {frame.ack}, payload {frame.payload.hex(' ') or 'empty'}")


def _colour(frame: Frame) -> str:
    from byteprop_host.link.messages import Message, is_answer

    if frame.type in (Message.FAULT, Message.NACK, Message.NO_SESSION):
        return RED
    is_refused = is_answer(frame) and frame.payload[:1] not in (b"", b"\0")
    return YELLOW if is_refused else ""


VERB = Verb(
    name="monitor",
    summary="show the frames on a board's line, live or from a wire log",
    example="byteprop monitor --replay wire.log",
    configure=_configure,
    run=_run,
    docs="protocol",
    json_help="print one JSON object per frame, one per line",
)
