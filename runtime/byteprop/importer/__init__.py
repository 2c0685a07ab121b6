"""Reads .tflite files: verified, read, shape arithmetic folded away, the rest made a Graph."""

from __future__ import annotations

from byteprop.graph import Graph

__all__ = ["load_tflite"]


def load_tflite(data: bytes) -> Graph:
    """The graph of a .tflite file.

    Raises UnsupportedOpError for what byteprop does not run, and ModelError for a file that is
    truncated, corrupt or hostile.
    """
    # The schema's package has some 200 modules; who loads no .tflite file need not wait for it.
    from byteprop.importer.lowering import lower
    from byteprop.tflite.rawmodel import read

    return lower(read(bytes(data)))
