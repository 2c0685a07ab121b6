"""What a board's detector has learnt and found, and whether it equals the host's."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.anomaly import Figures
from byteprop.engine._raw_anomaly import STATE_BYTES, Config, Verdict
from byteprop_host.boards.board import Board
from byteprop_host.console import printable

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trained:
    """The training before the detector. loss: of the last epoch, in the model's real units."""

    windows: int
    epochs: int
    updates: int
    loss: float
    memory: str


@dataclass(frozen=True)
class Costs:
    """Measurements; a window's cost in `unit`. None: the board does not measure it."""

    ram_bytes: int | None
    flash_bytes: int | None
    ram_available: int
    flash_available: int
    stack_used_bytes: int
    stack_bytes: int
    unit: str
    window_median: int | None
    wire_bytes: int
    retransmissions: int
    sessions_lost: int
    seconds: float


@dataclass(frozen=True, repr=False, eq=False)
class DetectionResult:
    """first: the first difference in words, "" if all is identical. learnt: scores of the windows
    that the threshold was learnt from. verdicts: of the test windows; is_fault: of each of them, if
    that is known. figures: None without faults to find and windows in order."""

    model: str
    board: Board
    is_emulated: bool
    build_id: int
    config: Config
    normal: str
    test: str
    first: str
    threshold: int
    learnt: Scores
    verdicts: tuple[Verdict, ...]
    is_fault: npt.NDArray[np.bool_] | None
    figures: Figures | None
    trained: Trained | None
    costs: Costs
    saved: str
    files: tuple[Path, ...] = ()
    seconds_per_window: float | None = None
    warnings: tuple[str, ...] = ()

    @property
    def identical(self) -> bool:
        return not self.first

    @property
    def scores(self) -> Scores:
        """Of the test windows."""
        return np.array([v.score for v in self.verdicts], np.float64)

    @property
    def false_alarms_per_hour(self) -> float | None:
        if self.figures is None or self.seconds_per_window is None:
            return None
        return self.figures.false_alarms_per_hour(self.seconds_per_window)

    @property
    def missed(self) -> int | None:
        """Windows with a fault that are in no alarm."""
        if self.is_fault is None:
            return None
        return sum(
            not v.alarm for v, fault in zip(self.verdicts, self.is_fault, strict=True) if fault
        )

    @property
    def first_drift(self) -> int | None:
        """The first test window at which the detector says that the machine drifts."""
        return next((i for i, v in enumerate(self.verdicts) if v.drifts), None)

    def text(self) -> str:
        """The result as text, the decisive line first."""
        return "\n".join(_lines(self))

    def __repr__(self) -> str:
        return f"<DetectionResult: {headline(self)}>"

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        found = None if self.figures is None else asdict(self.figures)
        return {
            "identical": self.identical,
            "first_difference": self.first,
            "model": self.model,
            "board": self.board.name,
            "emulated": self.is_emulated,
            "build_id": f"{self.build_id:016x}",
            "detector": asdict(self.config),
            "normal": self.normal,
            "test": self.test,
            "threshold": self.threshold,
            "learnt_from": len(self.learnt),
            "windows": len(self.verdicts),
            "above": sum(v.above for v in self.verdicts),
            "alarms": sum(v.alarm for v in self.verdicts),
            "figures": found,
            "missed": self.missed,
            "false_alarms_per_hour": self.false_alarms_per_hour,
            "first_drift": self.first_drift,
            "scores": [v.score for v in self.verdicts],
            "training": None if self.trained is None else asdict(self.trained),
            "costs": asdict(self.costs),
            "saved_on_board": self.saved or None,
            "files": [str(f) for f in self.files],
            "warnings": list(self.warnings),
        }


def headline(r: DetectionResult) -> str:
    if not r.identical:
        return f"DIFFERENT: {r.first}"
    verdicts = f", {len(r.verdicts):,} verdicts" if r.verdicts else ""
    return (
        f"identical: {len(r.learnt):,} scores{verdicts} and the detector's {STATE_BYTES} bytes "
        "equal the host's"
    )


def detector_text(config: Config) -> str:
    drift = (
        f"drift above {config.drift_ratio / 16:g} times the mean"
        if config.drift_ratio
        else "no drift"
    )
    return (
        f"{config.permille / 10:g} % of windows in order are at or below the threshold, an alarm "
        f"is {config.votes} of {config.window} above it, {drift}"
    )


def found_text(r: DetectionResult) -> str:
    """How good the detector is; "" without test windows."""
    if not r.verdicts:
        return ""
    alarms = sum(v.alarm for v in r.verdicts)
    if r.figures is None or r.is_fault is None:
        above = sum(v.above for v in r.verdicts)
        return (
            f"{above:,} of {len(r.verdicts):,} windows above the threshold, {alarms:,} in an alarm"
        )
    f, faults = r.figures, int(r.is_fault.sum())
    rate = r.false_alarms_per_hour
    per_hour = "" if rate is None else f" ({rate:.1f} per hour)"
    return (
        f"AUC {f.auc:.3f}; {faults - (r.missed or 0):,} of {faults:,} windows with a fault are in "
        f"an alarm, {r.missed:,} missed; {f.false_alarms:,} false alarms in {f.normal_windows:,} "
        f"windows in order{per_hour}"
    )


def drift_text(r: DetectionResult) -> str:
    if not r.verdicts or not r.config.drift_ratio:
        return ""
    if r.first_drift is None:
        return "none"
    return f"from window {r.first_drift:,} on"


def _lines(r: DetectionResult) -> list[str]:
    c = r.costs
    lines = [headline(r)]
    if found_text(r):
        lines.append(f"found      {found_text(r)}")
    if drift_text(r):
        lines.append(f"drift      {drift_text(r)}")
    lines += [
        f"threshold  {r.threshold:,}, from {len(r.learnt):,} windows of {printable(r.normal)}",
        f"detector   {detector_text(r.config)}",
        f"model      {printable(r.model)}",
    ]
    if r.trained is not None:
        t = r.trained
        lines.append(
            f"trained    {t.epochs} epochs of {t.windows:,} windows, loss {t.loss:.4g}; {t.memory}"
        )
    lines.append(f"board      {r.board.name}: {r.board.title}, {r.board.cpu}")
    if c.ram_bytes is not None:
        lines.append(
            f"memory     RAM {c.ram_bytes:,} of {c.ram_available:,} bytes, flash "
            f"{c.flash_bytes or 0:,} of {c.flash_available:,} bytes"
        )
    if c.window_median is not None:
        lines.append(f"per window {c.window_median:,} {c.unit} (median)")
    again = f", {c.retransmissions} frames sent again" if c.retransmissions else ""
    resets = f", {c.sessions_lost} resets survived" if c.sessions_lost else ""
    lines.append(f"line       {c.wire_bytes:,} bytes{again}{resets} in {c.seconds:.2f} s")
    lines += [f"saved      {r.saved}"] if r.saved else []
    lines += [f"warning    {w}" for w in r.warnings]
    return [*lines, *(f"written    {path}" for path in r.files)]
