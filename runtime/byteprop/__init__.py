"""int8 neural networks that give the same bits on a microcontroller and on a PC."""

from byteprop.errors import (
    ArgumentError,
    BytepropError,
    DataError,
    ModelError,
    UnsupportedOpError,
)
from byteprop.model import LayerInfo, Model, TensorInfo, load

__all__ = [
    "ArgumentError",
    "BytepropError",
    "DataError",
    "LayerInfo",
    "Model",
    "ModelError",
    "TensorInfo",
    "UnsupportedOpError",
    "load",
]
