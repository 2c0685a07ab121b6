"""int8 neural networks that give the same bits on a microcontroller and on a PC."""

from byteprop.errors import (
    ArgumentError,
    BytepropError,
    DataError,
    ModelError,
    TrainingError,
    TrainingWarning,
    UnsupportedOpError,
)
from byteprop.inference.info import LayerInfo, TensorInfo
from byteprop.layers import (
    Add,
    AveragePooling2D,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
)
from byteprop.model import Model, load
from byteprop.quantizer import quantize
from byteprop.sequential import Sequential
from byteprop.training.callbacks import Callback, EarlyStopping
from byteprop.training.history import History

__all__ = [
    "Add",
    "ArgumentError",
    "AveragePooling2D",
    "BytepropError",
    "Callback",
    "Conv2D",
    "DataError",
    "Dense",
    "DepthwiseConv2D",
    "EarlyStopping",
    "Flatten",
    "GlobalAveragePooling2D",
    "History",
    "LayerInfo",
    "MaxPooling2D",
    "Model",
    "ModelError",
    "Sequential",
    "TensorInfo",
    "TrainingError",
    "TrainingWarning",
    "UnsupportedOpError",
    "__version__",
    "load",
    "quantize",
]

__version__: str


def __getattr__(name: str) -> str:
    """The version, read from the installed package when it is first asked for: importing the
    reader of package metadata takes 13 ms."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    globals()["__version__"] = found = version("byteprop")
    return found


def __dir__() -> list[str]:
    """The public names alone, as in __all__."""
    return sorted(__all__)
