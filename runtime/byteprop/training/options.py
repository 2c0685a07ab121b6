"""How a network is trained: the one record of the options of `Model.fit` and `byteprop train`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from byteprop.training.schedules import Schedule, describe


@dataclass(frozen=True)
class TrainOptions:
    """Fields and defaults are those of `Model.fit`, which explains them. They are checked when a
    model and samples are known, by `training.settings_of`."""

    epochs: int = 1
    batch_size: int = 1
    learning_rate: float | None = None
    schedule: str | Schedule = "linear"
    seed: int = 0
    shuffle: bool = True
    train: Sequence[int | str] | int | str | None = None
    freeze: Sequence[int | str] | int | str | None = ()
    rounding: str = "stochastic"
    residual: bool = True
    momentum: float = 0.0
    window: int | None = None
    autoencoder: bool = False  # fit without y

    @property
    def frozen_layers(self) -> tuple[int | str, ...]:
        """Each by its index or its name."""
        return _listed(self.freeze)

    @property
    def trained_layers(self) -> tuple[int | str, ...] | None:
        """Each by its index or its name, or "last", "last:2"; None: all that are not frozen."""
        return None if self.train is None else _listed(self.train)

    @property
    def schedule_name(self) -> str:
        return self.schedule if isinstance(self.schedule, str) else describe(self.schedule)


def _listed(layers: Sequence[int | str] | int | str | None) -> tuple[int | str, ...]:
    return (layers,) if isinstance(layers, (int, str)) else tuple(layers or ())
