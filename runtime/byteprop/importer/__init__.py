"""Reads .tflite files: verified, read, shape arithmetic folded away, the rest made a Graph."""

from __future__ import annotations

from byteprop.graph import Graph

__all__ = ["graph_of_file", "load_tflite"]


def load_tflite(data: bytes, *, keep_dead_channels: bool = False) -> Graph:
    """The graph of a .tflite file, without what changes no output (byteprop.importer.passes).

    Raises UnsupportedOpError for what byteprop does not run, and ModelError for a file that is
    truncated, corrupt or hostile.
    """
    from byteprop.importer import passes

    return passes.run(graph_of_file(data), keep_dead_channels=keep_dead_channels)


def graph_of_file(data: bytes) -> Graph:
    """As load_tflite, with everything that the file has."""
    # The schema's package has some 200 modules; who loads no .tflite file need not wait for it.
    from byteprop.importer.lowering import lower
    from byteprop.tflite.rawmodel import read

    return lower(read(bytes(data)))
