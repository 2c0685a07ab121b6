"""What may be known of a tensor of the file while its ops are lowered one by one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from byteprop.graph import Normalization


@dataclass(frozen=True)
class Computed:
    """A tensor of the graph."""

    index: int


@dataclass(frozen=True)
class Wide:
    """A tensor of the graph under a shape of more dimensions than the graph has, which RESHAPE and
    TILE take."""

    index: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class FloatInput:
    """A float32 input that no QUANTIZE has given a scale yet, perhaps reshaped since. sub, mul:
    constants that were subtracted and multiplied, as in graph.Normalization; None for none."""

    input: int
    shape: tuple[int, ...]
    sub: npt.NDArray[np.float32] | None = None
    mul: npt.NDArray[np.float32] | None = None

    @property
    def normalization(self) -> Normalization | None:
        """Of the constants met on the way."""
        if self.sub is None and self.mul is None:
            return None
        sub = np.zeros(1, np.float32) if self.sub is None else self.sub
        mul = np.ones(1, np.float32) if self.mul is None else self.mul
        n = max(len(sub), len(mul))
        return Normalization(np.tile(sub, n // len(sub)), np.tile(mul, n // len(mul)))


@dataclass(frozen=True)
class FloatOutput:
    """What DEQUANTIZE made of a tensor of the graph, perhaps reshaped since."""

    index: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class OwnState:
    """A variable tensor of one op, which no other reads."""


@dataclass(frozen=True)
class Handle:
    """Names a variable."""

    name: str


@dataclass(frozen=True)
class Numbers:
    """Shape arithmetic: integers known when the model is loaded."""

    array: npt.NDArray[np.int64]


Value = Computed | Wide | FloatInput | FloatOutput | Handle | OwnState | Numbers
