"""What the lessons share: where the examples are, sliders, and the buttons of the board `host`."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
KINDS = "T-shirt trousers pullover dress coat sandal shirt sneaker bag boot".split()

_BOARD_PROGRAM = "byteprop-device"


def fashion() -> tuple[np.ndarray, np.ndarray]:
    """1,000 pictures, uint8 [1000, 28, 28], and the number of the kind of each."""
    with np.load(EXAMPLES / "fashion_mnist/t10k-1000.npz") as file:
        return file["x"], file["y"]


@dataclass(frozen=True)
class Range:
    """The values of a slider, and where it stands first."""

    low: float
    high: float
    step: float
    first: float


def explore(draw: Callable[..., None], **ranges: Range) -> None:
    """Draws again whenever a slider moves. Without ipywidgets it draws once, with the first values.

    An error of the first drawing is raised, where ipywidgets would only print it."""
    first = {name: r.first for name, r in ranges.items()}
    try:
        import ipywidgets as widgets
        from IPython.display import display
    except ImportError:
        draw(**first)
        call = ", ".join(f"{name}={value}" for name, value in first.items())
        print("No sliders here (pip install ipywidgets). Try other values:")
        print(f"    {draw.__name__}({call})")
        return
    errors: list[Exception] = []

    def checked(**values: float) -> None:
        try:
            draw(**values)
        except Exception as error:
            errors.append(error)
            raise

    sliders = {name: _slider(widgets, name, r) for name, r in ranges.items()}
    drawing = widgets.interactive_output(checked, sliders)
    if errors:
        raise errors[0]
    display(widgets.VBox([*sliders.values(), drawing]))


def _slider(widgets: Any, name: str, r: Range) -> Any:
    whole = all(float(value).is_integer() for value in (r.low, r.high, r.step, r.first))
    kind = widgets.IntSlider if whole else widgets.FloatSlider
    more = {} if whole else {"readout_format": ".3f"}
    return kind(
        value=r.first, min=r.low, max=r.high, step=r.step, description=name,
        continuous_update=False, **more,
    )  # fmt: skip


def press_reset() -> None:
    """The reset button of the board `host`: its memory is lost, and its program starts again."""
    os.kill(_board_process(), signal.SIGHUP)


def pull_the_cable() -> None:
    """Ends the board `host`, as a real one ends when the cable that powers it is pulled."""
    os.kill(_board_process(), signal.SIGKILL)


def _board_process() -> int:
    """The board `host` is a child of this process; Linux lists them."""
    for tasks in Path("/proc/self/task").glob("*/children"):
        for pid in tasks.read_text().split():
            if _BOARD_PROGRAM in Path(f"/proc/{pid}/cmdline").read_text():
                return int(pid)
    raise RuntimeError(
        "the board `host` is not running: expected a call while it learns; with a real board, "
        "press its button or pull its cable yourself"
    )
