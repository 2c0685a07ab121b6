"""Verifies a model on every board of a rig, several at a time, each in a process of its own.

A board that fails or hangs takes no other with it, and the reference is computed on all CPUs.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from byteprop_host.boards.board import Board
from byteprop_host.console import Progress, no_progress, table
from byteprop_host.flash.process import Child
from byteprop_host.rig import Rig, RigBoard

_WAKE_SECONDS = 0.1
_RELEASE_SECONDS = 15.0  # for a command to release its board when it is ended


class Outcome(str, Enum):
    """What became of a board."""

    IDENTICAL = "identical"
    DIFFERENT = "different"
    DOES_NOT_FIT = "does not fit"
    FAILED = "failed"


@dataclass(frozen=True)
class BoardOutcome:
    """A row of the table. verdict: what `byteprop verify --json` printed; reason: why there is
    none, or what differs."""

    name: str
    board: Board
    outcome: Outcome
    reason: str = ""
    verdict: Mapping[str, Any] = field(default_factory=dict)

    @property
    def was_run(self) -> bool:
        return self.outcome in (Outcome.IDENTICAL, Outcome.DIFFERENT)

    @property
    def figures(self) -> Mapping[str, Any]:
        """`Figures` of the verdict by name; empty when the board was not run."""
        figures: Mapping[str, Any] = self.verdict.get("figures", {})
        return figures

    @property
    def report(self) -> str | None:
        """The file with the board's own report."""
        return self.verdict.get("report")

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "board": self.board.name,
            "outcome": self.outcome.value,
            "reason": self.reason,
            "verdict": dict(self.verdict) or None,
        }

    def cells(self) -> list[str]:
        """Name, CPU, outcome, samples, RAM, flash and cost as text."""
        compared = self.verdict.get("comparison", {})
        samples = f"{compared['samples_identical']:,}/{compared['samples']:,}" if compared else "-"
        cost = _number(self.figures.get("inference_median"))
        unit = self.figures.get("unit", "none")
        return [
            self.name,
            self.board.cpu,
            self.outcome.value,
            samples,
            _number(self.figures.get("ram_bytes")),
            _number(self.figures.get("flash_bytes")),
            cost if cost == "-" else f"{cost} {unit}",
        ]


HEADER = ["board", "CPU", "result", "samples", "RAM", "flash", "inference"]
RIGHT = frozenset({3, 4, 5, 6})


@dataclass(frozen=True)
class RigVerdict:
    """The result on all boards of a rig."""

    model: str
    rig: Rig
    rows: tuple[BoardOutcome, ...]

    @property
    def identical(self) -> bool:
        """No byte of any board that was run differs."""
        return all(row.outcome is not Outcome.DIFFERENT for row in self.rows)

    @property
    def all_were_run(self) -> bool:
        return all(row.was_run for row in self.rows)

    def headline(self) -> str:
        counts = ((o, sum(row.outcome is o for row in self.rows)) for o in Outcome)
        parts = [f"{n} {o.value}" for o, n in counts if n]
        return f"{Path(self.model).name} on {len(self.rows)} boards: {', '.join(parts)}"

    def text(self) -> str:
        """The table as text, and a line for each board that has a reason."""
        lines = [self.headline()]
        lines.append(table([row.cells() for row in self.rows], header=HEADER, right=RIGHT))
        lines += [f"{r.name}: {_first_line(r.reason)}" for r in self.rows if r.reason]
        if self.rig.left_out:
            lines.append(f"not run: {', '.join(name for name, _ in self.rig.left_out)}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "identical": self.identical,
            "all_were_run": self.all_were_run,
            "model": self.model,
            "boards": [row.to_json() for row in self.rows],
            "left_out": dict(self.rig.left_out),
        }


def verify_rig(
    model: Path,
    rig: Rig,
    *,
    options: Sequence[str] = (),
    jobs: int | None = None,
    report_of: Mapping[str, Path] | None = None,
    progress: Progress = no_progress,
) -> RigVerdict:
    """Runs `byteprop verify` for each board of `rig`.

    options: further options of that command, for every board. jobs: boards at a time; None: as many
    as CPUs. report_of: where to write the report of each board, by its name; None: none is written.
    """
    commands = [_command(model, entry, options, report_of) for entry in rig.boards]
    outcomes = _Outcomes()
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        futures = [
            pool.submit(outcomes.of, entry, command)
            for entry, command in zip(rig.boards, commands, strict=True)
        ]
        try:
            waiting = set(futures)
            while waiting:
                # A signal that comes just before a wait without an end would not wake it.
                waiting = wait(waiting, timeout=_WAKE_SECONDS).not_done
                progress("boards", len(futures) - len(waiting), len(futures))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            outcomes.stop()
            raise
    return RigVerdict(str(model), rig, tuple(future.result() for future in futures))


def _command(
    model: Path, entry: RigBoard, options: Sequence[str], report_of: Mapping[str, Path] | None
) -> list[str]:
    target = entry.target
    command = [sys.executable, "-m", "byteprop_host", "verify", str(model)]
    command += ["--board", entry.board_argument, "--timeout", str(target.timeout)]
    command += ["--emulated"] if target.emulated else []
    command += ["--port", target.port] if target.port else []
    command += ["--probe", target.probe] if target.probe else []
    report = ["--no-report"] if report_of is None else ["--report", str(report_of[entry.name])]
    return [*command, *options, *report, "--json"]


class _Outcomes:
    """The commands that run, which are ended together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[Child] = set()
        self._is_stopped = False

    def of(self, entry: RigBoard, command: Sequence[str]) -> BoardOutcome:
        """Runs one command to its end."""
        with self._lock:
            if self._is_stopped:
                return BoardOutcome(entry.name, entry.board, Outcome.FAILED, "interrupted")
            child = Child(command)
            self._running.add(child)
        try:
            out = child.stdout.read()
            child.wait(None)
            return _outcome(entry, out, child.errors())
        finally:
            with self._lock:
                self._running.discard(child)
            child.close()

    def stop(self) -> None:
        """Asks all that run to release their boards; kills those that do not."""
        with self._lock:
            self._is_stopped = True
            running = tuple(self._running)
            for child in running:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGTERM)
        for child in running:
            if child.wait(_RELEASE_SECONDS) is None:
                child.kill()


def _outcome(entry: RigBoard, out: bytes, errors: str) -> BoardOutcome:
    try:
        result = json.loads(out)
    except ValueError:
        reason = errors or "the command ended without a result"
        return BoardOutcome(entry.name, entry.board, Outcome.FAILED, reason)
    if "error" in result:
        fits = result["kind"] != "DoesNotFitError"
        outcome = Outcome.FAILED if fits else Outcome.DOES_NOT_FIT
        return BoardOutcome(entry.name, entry.board, outcome, str(result["error"]))
    same = bool(result["identical"])
    outcome = Outcome.IDENTICAL if same else Outcome.DIFFERENT
    return BoardOutcome(
        entry.name, entry.board, outcome, "" if same else _difference(result), result
    )


def _difference(verdict: Mapping[str, Any]) -> str:
    compared = verdict["comparison"]
    layer = verdict["first_different_layer"]
    n = compared["bytes"] - compared["bytes_identical"]
    text = f"{n:,} of {compared['bytes']:,} output bytes differ"
    if layer:
        text += f"; the first different layer is {layer['op_index']} ({layer['op']})"
    return text


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _first_line(text: str) -> str:
    return text.splitlines()[0]
