"""Settings of firmware that speaks to the runner of MLPerf Tiny (csrc/mlperf)."""

from __future__ import annotations

from dataclasses import dataclass

from byteprop.errors import ArgumentError
from byteprop.graph.tensor import DType, Tensor
from byteprop.image import layout
from byteprop_host.boards.board import NATIVE, Board, Tick
from byteprop_host.errors import did_you_mean

# What the runner sends for one element of an input (csrc/mlperf/settings.h).
_CODES, _PIXELS, _REALS = range(3)
_FORMATS = {"kws01": _CODES, "vww01": _PIXELS, "ic01": _PIXELS, "ad01": _REALS}
BENCHMARKS = tuple(_FORMATS)
_REAL_BYTES = 4
_MAX_REALS = 4096  # of which the sum of squared errors fits 64 bits


@dataclass(frozen=True)
class MlperfTiny:
    """A benchmark of MLPerf Tiny with the model that takes part in it. ArgumentError if the
    firmware cannot run the model as this benchmark."""

    benchmark: str
    n_inputs: int
    n_outputs: int

    @classmethod
    def of(cls, benchmark: str, image: bytes | None) -> MlperfTiny:
        if benchmark not in _FORMATS:
            raise ArgumentError(
                f"mlperf: expected one of {', '.join(BENCHMARKS)}, got {benchmark!r}"
                + did_you_mean(benchmark, BENCHMARKS)
            )
        if image is None:
            raise ArgumentError(f"mlperf: {benchmark} needs a model to store in flash")
        found = layout(image)
        model_input = _only(benchmark, "input", [place.tensor for place in found.inputs])
        output = _only(benchmark, "output", [place.tensor for place in found.outputs])
        made = cls(benchmark, model_input.elems, output.elems)
        if made.is_real and not made.n_outputs == made.n_inputs <= _MAX_REALS:
            raise ArgumentError(
                f"mlperf: {benchmark} compares the output with the input; expected as many values "
                f"in both, at most {_MAX_REALS:,}, got {made.n_inputs:,} and {made.n_outputs:,}"
            )
        return made

    @property
    def is_real(self) -> bool:
        """Whether inputs are float32, and the result is the mean squared error of the output."""
        return _FORMATS[self.benchmark] == _REALS

    @property
    def buffer_bytes(self) -> int:
        """RAM for one input as the runner sends it, and as the model reads it."""
        return self.n_inputs * (_REAL_BYTES + 1 if self.is_real else 1)

    def defines(self) -> dict[str, str]:
        return {
            "BP_MLPERF_MODEL": f'"{self.benchmark}"',
            "BP_MLPERF_FORMAT": f"{_FORMATS[self.benchmark]}",
            "BP_MLPERF_INPUTS": f"{self.n_inputs}UL",
        }


def check_board(board: Board) -> None:
    """Raises ArgumentError if no firmware for the runner can be built for the board."""
    if board.build.toolchain == NATIVE:
        raise ArgumentError(
            f"mlperf: {board.name} has no firmware; name a board with --board, such as mps2-an386"
        )
    if board.clock.tick is Tick.NONE:
        raise ArgumentError(
            f"mlperf: {board.name} has no counter for timestamps (clock.tick in board.toml is none)"
        )


def timestamps(board: Board) -> str:
    """What the timestamps of the firmware mean, as a sentence."""
    mhz = f"{board.clock.tick_hz / 1e6:g} MHz"
    if board.clock.tick is Tick.INSTRUCTIONS:
        counted = f"instructions divided by {mhz}, which are times only at one instruction a cycle"
    else:
        counted = f"microseconds of the board's counter at {mhz}"
    return f"{counted}; in an emulator they are no times of the board"


def _only(benchmark: str, end: str, tensors: list[Tensor]) -> Tensor:
    if len(tensors) != 1 or tensors[0].dtype is not DType.INT8:
        types = ", ".join(t.dtype.name.lower() for t in tensors)
        raise ArgumentError(f"mlperf: {benchmark} expected one int8 {end}, got {types}")
    return tensors[0]
