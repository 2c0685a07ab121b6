"""The model that a training works on: what the trainer may ask of it and do to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from byteprop.engine import _raw
from byteprop.graph import Graph
from byteprop.inference.base_model import BaseModel, BatchEngine
from byteprop.training.masters import Masters

# The default learning rate for classes, before it is lowered for large inputs.
CLASS_RATE = 0.005


@dataclass(frozen=True)
class Snapshot:
    """What a model was at a moment of its training."""

    graph: Graph
    image: bytes
    masters: tuple[Masters, ...] | None


class TrainingTarget(BaseModel):
    """A model that can be trained. `Model` adds what its users call; `Sequential` overrides the
    parts that differ for a network that begins from random weights.

    masters: the 16-bit weights and 32-bit biases behind the image; None before any training.
    stop_training: a callback sets it to end the training. runs_here: False for a model whose
    inferences a board runs. default_window: updates between revisions of the scales.
    trains_convolutions: whether they are trained without being named; those of a file are not.
    is_new: whether it began with random weights here.
    """

    stop_training = False
    runs_here = True
    default_window = 0
    trains_convolutions = False
    is_new = False
    masters: tuple[Masters, ...] | None = None
    run_in_progress: Any = None

    def __init__(
        self,
        graph: Graph,
        image_bytes: bytes | None = None,
        *,
        engine: BatchEngine | None = None,
    ) -> None:
        super().__init__(graph, image_bytes, engine=engine)
        self.runs_here = engine is None or isinstance(engine, _raw.Engine)

    @property
    def class_rate(self) -> float:
        """The default learning rate for classes, before it is lowered for large inputs, of a
        network that begins with random weights."""
        return CLASS_RATE

    @property
    def opened(self) -> _raw.Engine:
        """The image, opened by the library of this computer."""
        return self._engine if isinstance(self._engine, _raw.Engine) else _raw.Engine(self.image)

    def before_fit(self, x: Any, y: Any, seed: int) -> None:
        """Called before training looks at the model."""

    def adopt(
        self,
        graph: Graph,
        image_bytes: bytes,
        masters: tuple[Masters, ...] | None = None,
        *,
        opened: _raw.Engine | None = None,
    ) -> None:
        """Becomes a trained model, which this computer runs. masters as in the class. opened: the
        image, where it has been opened already."""
        self._adopt(graph, image_bytes, opened)
        self.masters = masters

    def snapshot(self) -> Snapshot:
        """The present state, for `restore`."""
        return Snapshot(self.graph, self.image, self.masters)

    def restore(self, snapshot: Snapshot) -> None:
        """Goes back to an earlier state."""
        self._adopt(snapshot.graph, snapshot.image)
        self.masters = snapshot.masters
