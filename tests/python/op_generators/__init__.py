"""Random ops for random graphs: a file for each op, named as the op's file in `byteprop.ops`.

Its function `draw` adds the op, with random parameters, so that it reads a tensor of the graph, and
says whether it could.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

import numpy as np

from random_graphs import Builder

Draw = Callable[[np.random.Generator, Builder, int], bool]


@cache
def generators() -> dict[str, Draw]:
    """By the op's name."""
    modules = {
        module.name: import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)
    }
    return {name: module.draw for name, module in modules.items() if name != "common"}
