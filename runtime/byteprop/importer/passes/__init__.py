"""Passes over the graph of a file, each of which leaves every byte of the outputs as it is.

Nothing else knows of them: the image holds the graph that they give as it holds any other.
"""

from __future__ import annotations

from byteprop.graph import Graph
from byteprop.importer.passes.channels import without_dead_channels
from byteprop.importer.passes.known import with_known_values
from byteprop.importer.passes.pad import with_folded_pads
from byteprop.importer.passes.rings import with_rings
from byteprop.importer.passes.unread import without_unread_ops

__all__ = ["run"]


def run(graph: Graph, *, keep_dead_channels: bool = False) -> Graph:
    """The graph after all passes."""
    graph = with_rings(with_folded_pads(with_known_values(graph)))
    return graph if keep_dead_channels else without_dead_channels(without_unread_ops(graph))
