"""The same network in float32 with NumPy, to compare with: plain SGD and Adam.

Both begin from Glorot's uniform weights, take the samples in a new random order in every epoch and
let the learning rate go down to 0 in a straight line, as `fit` does; `decay=False` keeps it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.integer]


@dataclass
class FloatNetwork:
    """784-20-10 or any other two layers; weights [n_in, n_out]."""

    w1: Floats
    b1: Floats
    w2: Floats
    b2: Floats

    @classmethod
    def random(cls, sizes: tuple[int, int, int], seed: int) -> FloatNetwork:
        draw = np.random.RandomState(seed)
        layers: list[Floats] = []
        for n_in, n_out in pairwise(sizes):
            bound = np.sqrt(6 / (n_in + n_out))
            layers.append(draw.uniform(-bound, bound, (n_in, n_out)).astype(np.float32))
            layers.append(np.zeros(n_out, np.float32))
        return cls(*layers)

    @property
    def parameters(self) -> list[Floats]:
        return [self.w1, self.b1, self.w2, self.b2]

    def predict(self, x: Floats) -> npt.NDArray[np.intp]:
        hidden = np.maximum(x @ self.w1 + self.b1, 0)
        return np.asarray((hidden @ self.w2 + self.b2).argmax(axis=1))

    def gradients(self, x: Floats, labels: Labels) -> list[Floats]:
        """Of the mean cross-entropy of a batch."""
        hidden = np.maximum(x @ self.w1 + self.b1, 0)
        logits = hidden @ self.w2 + self.b2
        delta = np.exp(logits - logits.max(axis=1, keepdims=True))
        delta /= delta.sum(axis=1, keepdims=True)
        delta[np.arange(len(labels)), labels] -= 1
        delta /= len(labels)
        below = (delta @ self.w2.T) * (hidden > 0)
        return [x.T @ below, below.sum(axis=0), hidden.T @ delta, delta.sum(axis=0)]

    def step_of_one(self, x: Floats, label: int, rate: float) -> None:
        """An SGD step on one sample; only active hidden units have a gradient."""
        hidden = x @ self.w1
        hidden += self.b1
        active = np.flatnonzero(hidden > 0)
        hidden = np.maximum(hidden, 0, out=hidden)
        logits = hidden @ self.w2 + self.b2
        delta = np.exp(logits - logits.max())
        delta *= rate / delta.sum()
        delta[label] -= rate
        below = self.w2[active] @ delta
        self.w2[active] -= np.outer(hidden[active], delta)
        self.b2 -= delta
        self.w1.T[active] -= np.multiply.outer(below, x)
        self.b1[active] -= below


def train_sgd(
    x: Floats, labels: Labels, *, hidden: int, epochs: int, rate: float, seed: int
) -> FloatNetwork:
    """Batch 1, the rate going down to 0: what `fit` does, in float."""
    network = FloatNetwork.random((x.shape[1], hidden, int(labels.max()) + 1), seed)
    # A hidden unit's weights side by side in memory, as they are updated together.
    network.w1 = np.asfortranarray(network.w1)
    total = epochs * len(x)
    for done, sample in enumerate(_orders(len(x), epochs, seed)):
        network.step_of_one(x[sample], labels[sample], rate * (1 - done / total))
    return network


def train_adam(
    x: Floats,
    labels: Labels,
    *,
    hidden: int,
    epochs: int,
    rate: float,
    seed: int,
    batch: int = 32,
    decay: bool = True,
) -> FloatNetwork:
    """Adam with its usual constants (0.9, 0.999, 1e-7)."""
    network = FloatNetwork.random((x.shape[1], hidden, int(labels.max()) + 1), seed)
    means = [np.zeros_like(p) for p in network.parameters]
    squares = [np.zeros_like(p) for p in network.parameters]
    order = np.fromiter(_orders(len(x), epochs, seed), np.int64).reshape(epochs, len(x))
    batches = [row[i : i + batch] for row in order for i in range(0, len(x), batch)]
    for done, chosen in enumerate(batches):
        now = rate * (1 - done / len(batches)) if decay else rate
        step = np.float32(now * np.sqrt(1 - 0.999 ** (done + 1)) / (1 - 0.9 ** (done + 1)))
        gradients = network.gradients(x[chosen], labels[chosen])
        for p, g, m, v in zip(network.parameters, gradients, means, squares, strict=True):
            m += np.float32(0.1) * (g - m)
            v += np.float32(0.001) * (g * g - v)
            p -= step * m / (np.sqrt(v) + np.float32(1e-7))
    return network


def _orders(n: int, epochs: int, seed: int) -> Iterator[int]:
    """Every sample once per epoch, each time in a new random order."""
    draw = np.random.RandomState(seed)
    for _ in range(epochs):
        yield from draw.permutation(n).tolist()
