"""Compares a training on a board with that of the host, bit for bit: image, state, counters and
the result of every sample."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from byteprop import image
from byteprop.engine._raw_train import Config, Counters
from byteprop.graph import Graph
from byteprop.ops import Dense
from byteprop.training.masters import read_masters


@dataclass(frozen=True)
class Trained:
    """Results of a training on one machine."""

    image: bytes
    state: bytes
    counters: Counters


@dataclass(frozen=True)
class LockstepComparison:
    """first: the first difference in words, "" if all is identical. results: how many results of
    samples were compared, of training, evaluation and inference."""

    results: int
    weights: int
    image_bytes: int
    state_bytes: int
    first: str

    @property
    def identical(self) -> bool:
        return not self.first


def compare(
    board: Trained,
    host: Trained,
    graph: Graph,
    config: Config,
    *,
    results: int = 0,
    first_result: str = "",
) -> LockstepComparison:
    """graph: of the host's image. first_result: in words, the first sample whose result differs."""
    return LockstepComparison(
        results=results,
        weights=sum(op.weights.size for op in graph.ops if isinstance(op, Dense)),
        image_bytes=len(host.image),
        state_bytes=len(host.state),
        first=first_result or first_difference(board, host, config),
    )


def first_difference(board: Trained, host: Trained, config: Config) -> str:
    """The first difference in words; "" if there is none."""
    if board == host:
        return ""
    if len(board.image) != len(host.image) or len(board.state) != len(host.state):
        return (
            f"the board has {len(board.image)} bytes of image and {len(board.state)} of state, "
            f"the host {len(host.image)} and {len(host.state)}"
        )
    return (
        _in_counters(board.counters, host.counters)
        or _in_weights(board, host, config)
        or _in_bytes("image", board.image, host.image)
        or _in_bytes("state", board.state, host.state)
    )


def _in_counters(board: Counters, host: Counters) -> str:
    mine, theirs = asdict(board), asdict(host)
    for name, value in mine.items():
        if value != theirs[name]:
            return f"counter {name}: board {value}, host {theirs[name]}"
    return ""


def _in_weights(board: Trained, host: Trained, config: Config) -> str:
    try:
        a, b = image.decode(board.image), image.decode(host.image)
        kept_a, kept_b = (
            read_masters(graph, config, t.state) for graph, t in ((a, board), (b, host))
        )
    except Exception as error:
        # The bytes are known to differ, and are reported byte by byte instead.
        return "" if board.image != host.image else f"the state cannot be read: {error}"
    for i, (x, y) in enumerate(zip(_denses(a), _denses(b), strict=True)):
        names = (
            ("weight", x.weights, y.weights),
            ("bias", x.bias, y.bias),
            ("residual", kept_a[i].residual, kept_b[i].residual),
            ("bias master", kept_a[i].bias, kept_b[i].bias),
        )
        for name, mine, theirs in names:
            found = _in_array(f"dense layer {i}, {name}", mine, theirs)
            if found:
                return found
    return ""


def _denses(graph: Graph) -> list[Dense]:
    return [op for op in graph.ops if isinstance(op, Dense)]


def _in_array(name: str, board: npt.NDArray[np.generic], host: npt.NDArray[np.generic]) -> str:
    where = np.argwhere(board != host)
    if not len(where):
        return ""
    at = tuple(int(i) for i in where[0])
    more = f" ({len(where):,} of {board.size:,} differ)" if len(where) > 1 else ""
    return f"{name} {list(at)}: board {board[at]}, host {host[at]}{more}"


def _in_bytes(name: str, board: bytes, host: bytes) -> str:
    for at, (mine, theirs) in enumerate(zip(board, host, strict=True)):
        if mine != theirs:
            return f"{name}, byte {at}: board {mine:#04x}, host {theirs:#04x}"
    return ""
