"""The page of the Python API: every public name, with the signature and docstring that it has."""

from __future__ import annotations

import inspect
import re
from typing import Any

import byteprop
import byteprop.data
import byteprop.quantizer
from byteprop import anomaly, audio, estimators
from byteprop_host import pytest_plugin
from byteprop_host.verify import board_model

PAGE = "reference/python.md"
# Names of a module that has more of them than its users need.
NAMES = {
    "byteprop.estimators": ["BytepropClassifier", "BytepropRegressor"],
    "byteprop.data": ["Samples", "load_labels", "load_samples"],
    "byteprop_host.pytest_plugin": ["BoardUnderTest"],
    "byteprop_host.verify.board_model": ["BoardModel"],
}
MODULES = (
    byteprop,
    byteprop.data,
    byteprop.quantizer,
    anomaly,
    audio,
    estimators,
    pytest_plugin,
    board_model,
)
# Members that other parts of byteprop, or scikit-learn, call.
INTERNAL = frozenset(
    "adopt before_fit check class_rate get_metadata_routing input_bytes_of opened "
    "reals_of_bytes recall restore set_score_request snapshot".split()
)
INTRODUCTION = """# Python API

All public names, with their signatures and docstrings. [Use from Python](../docs/python.md) has
examples. Members that are not listed are for byteprop itself and may change at any time."""


def pages() -> dict[str, str]:
    return {PAGE: page()}


def page() -> str:
    parts, seen = [INTRODUCTION], set()
    for module in MODULES:
        parts.append(f"## {module.__name__}\n\n{prose(module.__doc__)}")
        for name in sorted(public_names(module), key=str.lower):
            if name not in seen:
                seen.add(name)
                parts.append(entry(name, getattr(module, name), module.__name__))
    return "\n\n".join(parts) + "\n"


def public_names(module: Any) -> list[str]:
    names = NAMES.get(module.__name__) or module.__all__
    return [name for name in names if not name.startswith("__")]


def entry(name: str, value: Any, module: str) -> str:
    parts = [f"### {name}"]
    if inspect.isclass(value):
        base = value.__bases__[0].__name__
        head = f"class {name}" + ("" if base == "object" else f"({base})")
        shown = (
            head
            if issubclass(value, (Exception, Warning))
            else f"{head}\n\n{signature(name, value)}"
        )
        parts += [code(shown), prose(inspect.getdoc(value)), *members(name, value)]
    elif callable(value):
        parts += [code(signature(f"{module}.{name}", value)), prose(inspect.getdoc(value))]
    else:
        parts.append(code(f"{name}: {type(value).__name__}"))
    return "\n\n".join(part for part in parts if part)


def members(owner: str, value: type) -> list[str]:
    """Public methods and properties with a docstring, without those that builtins have. Those of a
    class on this page are not repeated."""
    if issubclass(value, (Exception, Warning)):
        return []
    bases = [base for base in value.__mro__[1:] if base in (byteprop.Model, byteprop.Callback)]
    found = [f"It has all members of {base.__name__}, too." for base in bases]
    for name in dir(value):
        member = inspect.getattr_static(value, name)
        text = inspect.getdoc(member)
        if name.startswith("_") or name in INTERNAL or not text:
            continue
        if any(inspect.getattr_static(base, name, None) is member for base in bases):
            continue
        if isinstance(member, property):
            found.append(f"#### {owner}.{name}\n\n{prose(text)}")
        elif inspect.isroutine(member):
            call = signature(f"{owner}.{name}", getattr(value, name))
            found.append(f"#### {owner}.{name}\n\n{code(call)}\n\n{prose(text)}")
    return found


def signature(name: str, value: Any) -> str:
    """The call, one parameter per line where there are many."""
    try:
        found = inspect.signature(value)
    except ValueError:
        return name
    shown = [p for p in found.parameters.values() if p.name != "self"]
    short = str(found.replace(parameters=shown)).replace("'", "")
    if len(name + short) <= 80:
        return name + short
    lines, keyword = [], False
    for parameter in shown:
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and not keyword:
            keyword = True
            lines.append("    *,")
        lines.append("    " + str(parameter).replace("'", "") + ",")
    end = short[short.rindex(")") :]
    return f"{name}(\n" + "\n".join(lines) + f"\n{end}"


def code(text: str) -> str:
    return f"```python\n{text}\n```"


def prose(text: str | None) -> str:
    """A docstring as Markdown. Indented lines of examples stay code; all else is escaped."""
    blocks = []
    for block in inspect.cleandoc(text or "").split("\n\n"):
        if block.startswith("    "):
            blocks.append(block)
            continue
        parts = re.split(r"(`[^`]*`)", block)
        blocks.append(
            "".join(
                p if p.startswith("`") else re.sub(r"([\\*_<>\[\]])", r"\\\1", p) for p in parts
            )
        )
    return "\n\n".join(blocks)
