"""Names of classes, for people: from a text file, or from the words of a data file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from byteprop import Model
from byteprop.errors import ArgumentError

_MOST_BYTES = 1 << 20


def read_classes(path: Path, n: int) -> tuple[str, ...]:
    """The names of n classes: one per line, class 0 first."""
    with path.open("rb") as file:
        text = file.read(_MOST_BYTES + 1)
    if len(text) > _MOST_BYTES:
        raise ArgumentError(f"{path}: expected one name per line, got more than 1 MiB")
    names = tuple(text.decode("utf-8", "backslashreplace").strip().splitlines())
    if len(names) != n:
        raise ArgumentError(
            f"{path}: expected the names of {n} classes, one per line, got {len(names)} lines"
        )
    return tuple(name.strip() for name in names)


def names_of(model: Model) -> tuple[str, ...]:
    """The names that a model file has, numbers for classes without; () if it has none."""
    if not model.class_names:
        return ()
    n = model.graph.tensors[model.graph.outputs[0]].elems
    return tuple(model.class_names.get(i, str(i)) for i in range(n))


def class_name(names: Sequence[str], number: int) -> str:
    """The name of a class, or its number where names are not known."""
    return names[number] if number < len(names) else str(number)
