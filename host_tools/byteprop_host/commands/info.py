"""`byteprop info`: what a model is made of, what it costs, and which boards it fits."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from byteprop_host.commands import EXIT_OK, Verb, add_file
from byteprop_host.console import Console, printable, table

if TYPE_CHECKING:
    from byteprop import Model
    from byteprop.graph import Graph
    from byteprop_host.firmware.capacity import TrainingNeeds


def _configure(parser: argparse.ArgumentParser) -> None:
    add_file(parser)


def _run(args: argparse.Namespace, console: Console) -> int:
    import byteprop
    from byteprop.engine._raw_train import Config
    from byteprop_host.boards.board import all_boards
    from byteprop_host.firmware.capacity import memory_needs
    from byteprop_host.firmware.model_image import model_image
    from byteprop_host.training.plan import plan_or_none
    from byteprop_host.verify.layers import layer_rows

    model = byteprop.load(args.file)
    graph = model.graph
    image = model_image(model.image)
    rows = layer_rows(model)
    boards = all_boards()
    fits = [(board.name, memory_needs(board, image.data)) for board in boards]
    training = {b.name: plan_or_none(b, image.data, Config(seed=0)) for b in boards}
    text = "\n".join(
        [
            printable(str(args.file)),
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
            f"image  {image.text}, as boards have it: without names",
            f"train  {_training_text(model)}",
            "",
            table(
                [
                    [
                        name,
                        "yes" if f.ok else "NO",
                        f"{f.ram_needed:,} of {f.ram_available:,}",
                        f"{f.flash_needed:,} of {f.flash_available:,}",
                        _trains(training[name]),
                    ]
                    for name, f in fits
                ],
                header=["board", "fits", "RAM bytes", "flash bytes", "trains, RAM bytes"],
                right=frozenset({2, 3, 4}),
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
        "image_bytes": len(image),
        "model_crc32": f"{image.crc32:08x}",
        "training": _training(model),
        "boards": [
            {
                "board": name,
                **vars(f),
                "training": None if training[name] is None else vars(training[name]),
            }
            for name, f in fits
        ],
    }
    console.result(text, value)
    return EXIT_OK


def _training(model: Model) -> dict[str, Any]:
    """Bytes that training takes beyond the image, or why it cannot be trained."""
    from byteprop.engine import _raw_train
    from byteprop.errors import TrainingError
    from byteprop.training.trainable import check_trainable

    try:
        check_trainable(model.graph, model.opened, _raw_train.Config(seed=0))
    except TrainingError as error:
        return {"bytes": None, "bytes_without_residuals": None, "why_not": str(error)}
    full, bare = (
        _raw_train.plan(model.opened, _raw_train.Config(seed=0, residual=residual)).memory_bytes
        for residual in (True, False)
    )
    return {"bytes": full, "bytes_without_residuals": bare, "why_not": ""}


def _training_text(model: Model) -> str:
    needs = _training(model)
    if needs["bytes"] is None:
        return f"not possible: {needs['why_not']}"
    return (
        f"{needs['bytes']:,} bytes of RAM beyond image and arena "
        f"({needs['bytes_without_residuals']:,} with --no-residual)"
    )


def _trains(plan: TrainingNeeds | None) -> str:
    if plan is None:
        return "no"
    return f"{'yes' if plan.ok else 'NO'}, {plan.ram_needed:,} of {plan.ram_available:,}"


def _border(graph: Graph, index: int) -> dict[str, Any]:
    from byteprop.graph.normalization import to_json

    tensor = graph.tensors[index]
    return {
        "name": tensor.name,
        "shape": tensor.shape,
        "dtype": "float32" if tensor.float_border else tensor.dtype.name.lower(),
        "scale": float(tensor.scale),
        "zero_point": tensor.zero_point,
        "normalization": to_json(tensor.normalization),
    }


def _borders(word: str, graph: Graph, indices: tuple[int, ...]) -> list[str]:
    from byteprop.graph.normalization import describe

    lines = []
    for index in indices:
        b = _border(graph, index)
        lines.append(
            f"{word:<7}{printable(b['name'])}: {b['dtype']} {list(b['shape'])}, "
            f"scale {b['scale']:.6g}, zero point {b['zero_point']}"
        )
        normalization = graph.tensors[index].normalization
        if normalization is not None:
            lines.append(f"       normalised: {describe(normalization)}")
    return lines


VERB = Verb(
    name="info",
    summary="show a model's layers, scales, cost, and the boards that it fits",
    example="byteprop info fashion.tflite",
    configure=_configure,
    run=_run,
)
