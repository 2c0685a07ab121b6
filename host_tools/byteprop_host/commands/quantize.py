"""`byteprop quantize`: an int8 model of a float one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byteprop.errors import ArgumentError
from byteprop_host.commands import (
    EXIT_OK,
    Verb,
    add_labels,
    add_samples,
    check_outputs,
    reading_from,
)
from byteprop_host.console import Console

if TYPE_CHECKING:
    import byteprop
    from byteprop.quantizer import FloatNetwork

_RANGES = ("auto", "minmax", "mse", "percentile")
_SUFFIXES = (".tflite", ".bpm", ".h")


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="float model: .tflite in float32 or float16; .keras, .h5 or a SavedModel, where "
        "TensorFlow is installed; or .npz with weights of dense layers",
    )
    add_samples(parser, required=True)
    add_labels(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="OUT",
        help="model to write: .tflite, .bpm or .h (default: FILE-int8.tflite in this folder)",
    )
    parser.add_argument(
        "--ranges",
        choices=_RANGES,
        default="auto",
        help="how ranges of activations are chosen (default: minmax or mse, what is closer to the "
        "float model; byteprop help quantization)",
    )
    parser.add_argument(
        "--bias-correction",
        choices=("auto", "yes", "no"),
        default="auto",
        help="whether biases make up for rounded weights (default: what is closer)",
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="HTML",
        help="report to write, with the error of each layer as a picture (default: none)",
    )
    parser.add_argument("--float-io", action="store_true", help="the model takes and gives float32")


def _run(args: argparse.Namespace, console: Console) -> int:
    import byteprop
    from byteprop_host.quantization import quantize_file
    from byteprop_host.quantization_report import write_report

    output = args.output or Path(f"{args.file.stem}-int8.tflite")
    if output.suffix not in _SUFFIXES:
        raise ArgumentError(
            f"--output: expected a name that ends in {', '.join(_SUFFIXES)}, got {output}"
        )
    check_outputs(output, args.report)
    corrections = {"auto": None, "yes": True, "no": False}

    def quantizer(network: FloatNetwork, data: Any) -> byteprop.Model:
        return byteprop.quantize(
            network,
            data,
            float_border=args.float_io,
            ranges=args.ranges,
            bias_correction=corrections[args.bias_correction],
        )

    found = quantize_file(
        args.file,
        args.data,
        quantizer,
        samples=args.samples,
        labels=args.labels,
        reading=reading_from(args),
    )
    found.model.save(output)
    size = output.stat().st_size
    lines = [f"{output}: {size:,} bytes", found.text()]
    if args.report is not None:
        write_report(found, args.file, output, args.report)
        lines.append(f"\nreport     {args.report}")
    report = None if args.report is None else str(args.report)
    console.result(
        "\n".join(lines),
        {"output": str(output), "bytes": size, "report": report, **found.to_json()},
    )
    return EXIT_OK


VERB = Verb(
    name="quantize",
    summary="make an int8 model of a float one, and measure what that costs",
    example="byteprop quantize float.tflite --data train.npz -o int8.tflite",
    configure=_configure,
    run=_run,
    docs="quantization",
)
