"""int8 neural networks that give the same bits on a microcontroller and on a PC."""

from byteprop.callbacks import Callback, EarlyStopping
from byteprop.errors import (
    ArgumentError,
    BytepropError,
    DataError,
    ModelError,
    TrainingError,
    TrainingWarning,
    UnsupportedOpError,
)
from byteprop.history import History
from byteprop.model import LayerInfo, Model, TensorInfo, load
from byteprop.quantizer import quantize
from byteprop.sequential import Dense, Sequential

__all__ = [
    "ArgumentError",
    "BytepropError",
    "Callback",
    "DataError",
    "Dense",
    "EarlyStopping",
    "History",
    "LayerInfo",
    "Model",
    "ModelError",
    "Sequential",
    "TensorInfo",
    "TrainingError",
    "TrainingWarning",
    "UnsupportedOpError",
    "load",
    "quantize",
]
