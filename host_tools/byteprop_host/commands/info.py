"""`byteprop info`: what a model is made of, what it costs, and which boards it fits."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byteprop_host.commands import EXIT_OK, Verb
from byteprop_host.console import Console, table

if TYPE_CHECKING:
    from byteprop.graph import Graph


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="model: .tflite or .bpm")


def _run(args: argparse.Namespace, console: Console) -> int:
    import byteprop
    from byteprop_host.boards import all_boards
    from byteprop_host.build import fit
    from byteprop_host.layers import layer_rows

    model = byteprop.load(args.file)
    graph = model.graph
    rows = layer_rows(model)
    fits = [(board.name, fit(board, model.image)) for board in all_boards()]
    text = "\n".join(
        [
            f"{args.file}",
            *_borders("input", graph, graph.inputs),
            *_borders("output", graph, graph.outputs),
            "",
            table(
                [
                    [
                        str(r.index),
                        r.op,
                        r.detail,
                        "x".join(map(str, r.shape)),
                        f"{r.scale:.6g}",
                        str(r.zero_point),
                        f"{r.macs:,}",
                        f"{r.weight_bytes:,}",
                    ]
                    for r in rows
                ],
                header=["", "layer", "", "shape", "scale", "zero point", "MACs", "weight bytes"],
                right=frozenset({0, 4, 5, 6, 7}),
            ),
            "",
            f"MACs   {model.macs:,}",
            f"arena  {model.arena_bytes:,} bytes of RAM",
            f"image  {len(model.image):,} bytes of flash",
            "",
            table(
                [
                    [
                        name,
                        "yes" if f.ok else "NO",
                        f"{f.ram_needed:,} of {f.ram_available:,}",
                        f"{f.flash_needed:,} of {f.flash_available:,}",
                    ]
                    for name, f in fits
                ],
                header=["board", "fits", "RAM bytes", "flash bytes"],
                right=frozenset({2, 3}),
            ),
        ]
    )
    value = {
        "file": str(args.file),
        "inputs": [_border(graph, i) for i in graph.inputs],
        "outputs": [_border(graph, i) for i in graph.outputs],
        "layers": [vars(r) for r in rows],
        "macs": model.macs,
        "arena_bytes": model.arena_bytes,
        "image_bytes": len(model.image),
        "boards": [{"board": name, **vars(f)} for name, f in fits],
    }
    console.result(text, value)
    return EXIT_OK


def _border(graph: Graph, index: int) -> dict[str, Any]:
    tensor = graph.tensors[index]
    return {
        "name": tensor.name,
        "shape": tensor.shape,
        "dtype": "float32" if tensor.float_border else tensor.dtype.name.lower(),
        "scale": float(tensor.scale),
        "zero_point": tensor.zero_point,
    }


def _borders(word: str, graph: Graph, indices: tuple[int, ...]) -> list[str]:
    lines = []
    for index in indices:
        b = _border(graph, index)
        lines.append(
            f"{word:<7}{b['name']}: {b['dtype']} {list(b['shape'])}, "
            f"scale {b['scale']:.6g}, zero point {b['zero_point']}"
        )
    return lines


VERB = Verb(
    name="info",
    summary="show a model's layers, scales, cost, and the boards that it fits",
    example="byteprop info fashion.tflite",
    configure=_configure,
    run=_run,
)
