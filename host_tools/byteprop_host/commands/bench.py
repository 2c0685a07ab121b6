"""`byteprop bench`: measures an inference on a board."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from byteprop_host.commands import (
    EXIT_OK,
    Verb,
    add_file,
    add_samples,
    add_session,
    check_outputs,
    reading_from,
    target_from,
)
from byteprop_host.console import Console, table

if TYPE_CHECKING:
    from byteprop_host.verify.bench import Bench


def _configure(parser: argparse.ArgumentParser) -> None:
    add_file(parser)
    add_session(parser)
    add_samples(parser)


def _run(args: argparse.Namespace, console: Console) -> int:
    from byteprop_host.verify.bench import bench

    check_outputs(args.wire_log)
    with console.progress() as progress:
        result = bench(
            args.file,
            target_from(args),
            data=args.data,
            samples=args.samples,
            reading=reading_from(args),
            keep_dead_channels=args.keep_dead_channels,
            progress=progress,
        )
    console.result(describe(result), result.to_json())
    return EXIT_OK


def describe(b: Bench) -> str:
    """The figures as text."""
    lines = [f"{b.model} on {b.board.name} ({b.board.cpu}), samples: {b.source}"]
    lines += [f"warning: {w}" for w in b.warnings]
    if b.median is None:
        lines.append("this board counts no ticks, so there are no figures")
    else:
        per_mac = f", {b.per_mac:.3f} per MAC" if b.per_mac is not None else ""
        spread = "" if b.minimum == b.maximum else f" ({b.minimum:,} to {b.maximum:,})"
        lines.append(f"one inference: {b.median:,} {b.unit}{spread}{per_mac}")
        lines.append(
            table(
                [
                    [
                        str(r.info.index),
                        r.info.op,
                        r.detail,
                        f"{r.info.macs:,}",
                        "-" if r.cost is None else f"{r.cost:,}",
                        "-" if r.share is None else f"{r.share:.1%}",
                        "-" if r.per_mac is None else f"{r.per_mac:.3f}",
                    ]
                    for r in b.layers
                ],
                header=["", "layer", "", "MACs", b.unit, "share", "per MAC"],
                right=frozenset({0, 3, 4, 5, 6}),
            )
        )
    if b.latency is not None:
        lines.append(
            f"Python call {b.latency.call_seconds * 1e6:.2f} us; batch of {b.latency.batch}: "
            f"{b.latency.samples_per_second:,.0f} samples per second"
        )
    return "\n".join(lines)


VERB = Verb(
    name="bench",
    summary="count the instructions or cycles of an inference, whole and per layer",
    example="byteprop bench fashion.tflite --board mps2-an386",
    configure=_configure,
    run=_run,
    docs="testing",
)
