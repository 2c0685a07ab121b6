"""The result of a training on a board, and whether it equals the host's."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.engine._raw_train import Config, Counters
from byteprop.graph import Graph
from byteprop.graph.normalization import to_json
from byteprop.inference.info import describe_inputs
from byteprop.training.diagnosis import Diagnosis, Remark, describe
from byteprop_host.boards.board import Board
from byteprop_host.console import printable
from byteprop_host.data.samples import Ints
from byteprop_host.firmware.capacity import TrainingNeeds
from byteprop_host.training.compare import LockstepComparison
from byteprop_host.training.judgement import Judgement, judge
from byteprop_host.training.scores import Epoch, Score


@dataclass(frozen=True)
class SettingsSummary:
    """The settings that a result and its report show."""

    epochs: int
    learning_rate: float
    schedule: str
    config: Config
    frozen: tuple[str, ...] = ()
    trained: tuple[str, ...] = ()  # as they were chosen; (): all that are not frozen


@dataclass(frozen=True)
class Part:
    """Training, validation or test samples. classes: how many of each class, () for values."""

    name: str
    n: int
    source: str
    classes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Final:
    """Score of the final weights on a part, and who ran it. before: of the weights at the start."""

    part: str
    score: Score
    by: str
    before: Score | None = None


@dataclass(frozen=True)
class SaveCheck:
    """A save in the board's flash. identical: read back, it equals what was trained."""

    slot: int
    sequence: int
    image_bytes: int
    state_bytes: int
    identical: bool


@dataclass(frozen=True)
class TrainingFigures:
    """Measurements; costs in `unit`. None: the board does not measure it."""

    ram_bytes: int | None
    flash_bytes: int | None
    stack_used_bytes: int | None
    stack_bytes: int | None
    unit: str
    sample_median: int | None
    sample_max: int | None
    wire_bytes: int
    retransmissions: int
    sessions_lost: int
    build_seconds: float
    train_seconds: float
    seconds: float


@dataclass(frozen=True)
class Parameters:
    """Real weights [n_in][n_out] and biases of a dense layer, as training keeps them."""

    weights: list[list[float]]
    bias: list[float]


@dataclass(frozen=True)
class Pictures:
    """Some samples of a part, with the predicted class and the true one."""

    part: str
    images: npt.NDArray[np.uint8]  # grey, [n, height, width]
    given: Ints
    true: Ints


@dataclass(frozen=True, repr=False, eq=False)
class TrainingResult:
    """The whole result. confusion: [true, predicted] counts of the part `confusion_of`, None for
    values. parameters: of networks that are small enough to print, else ()."""

    model: str
    layers: str
    loss: str
    inputs_reason: str
    board: Board
    is_emulated: bool
    build_id: int
    settings: SettingsSummary
    split: str
    parts: tuple[Part, ...]
    baseline: float
    epochs: tuple[Epoch, ...]
    resumed_at: int
    finals: tuple[Final, ...]
    diagnosis: Diagnosis
    counters: Counters
    remarks: tuple[Remark, ...]
    warnings: tuple[str, ...]
    comparison: LockstepComparison
    plan: TrainingNeeds
    figures: TrainingFigures
    confusion_of: str
    confusion: Ints | None
    pictures: Pictures | None
    parameters: tuple[Parameters, ...]
    before: Graph
    after: Graph
    saved: SaveCheck | None
    files: tuple[Path, ...]
    unsaved: tuple[str, ...]  # errors of files of --save that could not be written
    classes: tuple[str, ...] = ()  # names, as far as they are known

    @property
    def identical(self) -> bool:
        return self.comparison.identical and (self.saved is None or self.saved.identical)

    @property
    def judgement(self) -> Judgement:
        """Whether the model became better."""
        return judge([(f.part, f.score, f.before) for f in self.finals])

    def text(self) -> str:
        """The result as text, the decisive line first."""
        return _text(self)

    def __repr__(self) -> str:
        return f"<TrainingResult: {headline(self)}>"

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "identical": self.identical,
            "model": self.model,
            "layers": self.layers,
            "loss": self.loss,
            "inputs": {
                "reason": self.inputs_reason,
                "normalization": to_json(self.after.tensors[self.after.inputs[0]].normalization),
            },
            "board": self.board.name,
            "cpu": self.board.cpu,
            "emulated": self.is_emulated,
            "build_id": f"{self.build_id:016x}",
            "settings": asdict(self.settings),
            "split": {"how": self.split, "parts": [asdict(p) for p in self.parts]},
            "baseline": self.baseline,
            "epochs": [asdict(e) for e in self.epochs],
            "resumed_at_epoch": self.resumed_at,
            "finals": [asdict(f) for f in self.finals],
            "verdict": {
                "kind": self.diagnosis.kind.value,
                "text": describe(self.diagnosis),
                "reason": self.diagnosis.reason.value,
                "numbers": dict(self.diagnosis.numbers),
                "learning_rate": self.diagnosis.rate.value,
            },
            "judgement": {
                "outcome": self.judgement.outcome.value,
                "text": self.judgement.text,
            },
            "counters": asdict(self.counters),
            "remarks": [asdict(r) for r in self.remarks],
            "warnings": list(self.warnings),
            "comparison": {"identical": self.comparison.identical, **asdict(self.comparison)},
            "memory": asdict(self.plan),
            "figures": asdict(self.figures),
            "confusion": None
            if self.confusion is None
            else {"part": self.confusion_of, "counts": self.confusion.tolist()},
            "classes": list(self.classes),
            "parameters": [asdict(p) for p in self.parameters],
            "saved_on_board": None if self.saved is None else asdict(self.saved),
            "files": [str(f) for f in self.files],
            "unsaved": list(self.unsaved),
        }


def headline(r: TrainingResult) -> str:
    c = r.comparison
    if not c.identical:
        return f"DIFFERENT: {c.first}"
    if r.saved is not None and not r.saved.identical:
        return "DIFFERENT: the model read back from the board's flash is not the trained model"
    return (
        f"identical: {c.weights:,} weights, {c.image_bytes:,} bytes of image, {c.state_bytes:,} "
        f"bytes of state and all counters equal the host's after {r.counters.steps:,} updates"
    )


def _text(r: TrainingResult) -> str:
    s = r.settings
    lines = [
        headline(r),
        f"verdict    {describe(r.diagnosis)}",
        f"{'warning' if r.judgement.is_warning else 'judged':<11}{r.judgement.text}",
        *(f"{f.part:<11}{f.score} ({f.by}){_before(f)}" for f in r.finals),
        f"model      {printable(r.model)}: {r.layers}, {r.loss}",
        *([f"inputs     {inputs_text(r)}"] if inputs_text(r) else []),
        f"board      {r.board.name}: {r.board.title}, {r.board.cpu}",
        f"settings   {s.epochs} epochs, learning rate {s.learning_rate:g} ({s.schedule}), "
        f"batch {s.config.batch}, seed {s.config.seed}{_frozen(s)}{_resumed(r)}",
        "samples    " + ", ".join(f"{p.n:,} {p.name}" for p in r.parts) + f"; {r.split}",
        *(
            f"{'learned' if i == 0 else '':<11}{parameters_text(p)}"
            for i, p in enumerate(r.parameters)
        ),
        *(f"{'counters' if i == 0 else '':<11}{_remark_text(m)}" for i, m in enumerate(r.remarks)),
        *(f"warning    {w}" for w in r.warnings),
        f"memory     {r.plan.text}",
        *_figure_lines(r),
    ]
    if r.saved is not None:
        lines.append(
            f"saved      in the board's flash, slot {r.saved.slot}, as number {r.saved.sequence}"
            f"{'; read back identical' if r.saved.identical else ''}"
        )
    lines += [f"written    {path}" for path in r.files]
    return "\n".join(lines)


def inputs_text(r: TrainingResult) -> str:
    """Normalization of the inputs and its reason; "" for a model from a file without any."""
    return "; ".join(text for text in (r.inputs_reason, describe_inputs(r.after)) if text)


def parameters_text(parameters: Parameters) -> str:
    """Weights and bias, such as w = 2, b = -1, or as lists."""
    weights = [[float(f"{w:.5g}") for w in row] for row in parameters.weights]
    bias = [float(f"{b:.5g}") for b in parameters.bias]
    if len(bias) == 1 and len(weights) == 1:
        return f"w = {weights[0][0]:g}, b = {bias[0]:g}"
    return f"w = {weights}, b = {bias}"


def _before(final: Final) -> str:
    return "" if final.before is None else f"; before training {final.before}"


def _frozen(settings: SettingsSummary) -> str:
    if settings.trained:
        return f", trained {', '.join(settings.trained)}"
    return f", frozen {', '.join(settings.frozen)}" if settings.frozen else ""


def _resumed(r: TrainingResult) -> str:
    return f"; resumed in epoch {r.resumed_at + 1}" if r.resumed_at else ""


def _remark_text(remark: Remark) -> str:
    return f"WARNING: {remark.text}" if remark.is_warning else remark.text


def _figure_lines(r: TrainingResult) -> list[str]:
    f = r.figures
    lines = []
    if f.stack_bytes:
        lines.append(f"stack      {f.stack_used_bytes:,} of {f.stack_bytes:,} bytes used at most")
    if f.sample_median is not None:
        lines.append(f"per sample {f.sample_median:,} {f.unit} (median), {f.sample_max:,} at most")
    again = f", {f.retransmissions} frames sent again" if f.retransmissions else ""
    resets = f", {f.sessions_lost} resets survived" if f.sessions_lost else ""
    lines.append(
        f"line       {f.wire_bytes:,} bytes{again}{resets} in {f.train_seconds:.2f} s; whole run "
        f"{f.seconds:.2f} s"
    )
    return lines
