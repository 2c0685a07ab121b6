"""`byteprop convert`: writes a model in the format that the suffix names."""

from __future__ import annotations

import argparse
from pathlib import Path

from byteprop_host.commands import EXIT_OK, Verb, add_file, add_rows, check_outputs
from byteprop_host.console import Console


def _configure(parser: argparse.ArgumentParser) -> None:
    add_file(parser)
    add_rows(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT",
        help="file to write: .bpm (model image) or .h (C header)",
    )


def _run(args: argparse.Namespace, console: Console) -> int:
    import byteprop
    from byteprop_host.firmware.model_image import model_image

    check_outputs(args.output)
    model = byteprop.load(args.file, keep_dead_channels=args.keep_dead_channels, rows=args.rows)
    model.save(args.output)
    size = args.output.stat().st_size
    image = model_image(model.image)
    console.result(
        f"{args.output}: {size:,} bytes (model image without names: {image.text})",
        {
            "output": str(args.output),
            "bytes": size,
            "image_bytes": len(image),
            "model_crc32": f"{image.crc32:08x}",
        },
    )
    return EXIT_OK


VERB = Verb(
    name="convert",
    summary="convert a model into a model image (.bpm) or a C header (.h)",
    example="byteprop convert fashion.tflite -o fashion.h",
    configure=_configure,
    run=_run,
    docs="format",
)
