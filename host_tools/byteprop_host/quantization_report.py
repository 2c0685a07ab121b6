"""The report of `byteprop quantize`: what the int8 model costs, and where it is lost."""

from __future__ import annotations

from html import escape
from pathlib import Path

from byteprop.quantizer import LayerError
from byteprop_host.quantization import Quantization
from byteprop_host.report import page
from byteprop_host.report.page import Tile


def write_report(found: Quantization, source: Path, output: Path, path: Path) -> None:
    """Raises OSError if it cannot be written."""
    page.write(path, render(found, source, output))


def render(found: Quantization, source: Path, output: Path) -> str:
    """The report as HTML."""
    return page.page(
        f"byteprop: {output.name}",
        [
            page.banner(
                True,
                "An int8 model",
                f"<b>{escape(source.name)}</b> became <b>{escape(output.name)}</b>.",
            ),
            page.tiles(_tiles(found)),
            _layers(found),
            page.facts(
                [
                    ("float model", str(source)),
                    ("int8 model", str(output)),
                    ("samples", found.source),
                    ("to measure ranges", f"{found.representative:,}"),
                    ("to compare", f"{found.held_out:,}"),
                    ("read more", "byteprop help quantization"),
                ]
            ),
        ],
    )


def _tiles(found: Quantization) -> list[Tile]:
    tiles = []
    if found.float_accuracy is not None and found.int8_accuracy is not None:
        points = 100 * (found.int8_accuracy - found.float_accuracy)
        tiles = [
            Tile("accuracy in float32", f"{found.float_accuracy:.2%}", f"{found.held_out} samples"),
            Tile("accuracy in int8", f"{found.int8_accuracy:.2%}", f"{points:+.2f} points"),
        ]
    return [
        *tiles,
        Tile("difference of outputs", f"{found.difference:.3g}", "root mean square"),
        Tile("bytes of RAM", f"{found.model.arena_bytes:,}", "for activations"),
        Tile("multiply-accumulates", f"{found.model.macs:,}", f"{len(found.layers)} layers"),
    ]


def _layers(found: Quantization) -> str:
    """A bar per layer: how far its outputs are from those of the float network."""
    rows = [
        page.row(
            [
                str(layer.index),
                escape(layer.op),
                escape(layer.tensor[-40:]),
                "×".join(map(str, layer.shape)),
                "" if layer.error is None else _bar(layer, found.largest_error),
                "" if layer.saturated is None else f"{layer.saturated:.2%}",
            ]
        )
        for layer in found.layers
    ]
    text = (
        "The error of a layer is the root mean square difference of its outputs from those of the "
        "float network, as a share of the float outputs' own root mean square. An error grows from "
        "layer to layer; a jump shows where ranges or weights fit 8 bits badly. Saturated are "
        "float values beyond the range. Logits before a softmax saturate on purpose: what counts "
        "there is the error of the softmax."
    )
    header = ["", "layer", "output", "shape", "error", "saturated"]
    return page.card(
        "Where it is lost", f"<p>{text}</p>", page.html_table(header, rows, kind="layers")
    )


def _bar(layer: LayerError, most: float) -> str:
    assert layer.error is not None
    length = 100 * layer.error / most if most else 0.0
    return (
        f'<div class="bar"><i style="width:{length:.1f}%"></i><span>{layer.error:.2%}</span></div>'
    )
