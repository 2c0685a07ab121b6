"""Lesson 1: one neuron finds the line y = 2x - 1 from six points.

    python examples/regression/first_neuron.py                        on this computer
    python examples/regression/first_neuron.py --board arduino-uno    on a board with 2 KB of RAM

A neuron with one input computes y = w * x + b. It begins with a random w and b = 0, looks at one
point, sees how far off its answer is, and turns w and b a little in the direction that would have
been better. After 500 rounds over the six points it knows the line, without having been given it.
"""

from __future__ import annotations

import argparse
import tempfile
import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import byteprop
from pictures import save_pictures

X = np.array([[-1.0], [0.0], [1.0], [2.0], [3.0], [4.0]])
EPOCHS = 500
LEARNING_RATE = 0.01
INPUT_RANGE, OUTPUT_RANGE = (-10, 10), (-20, 20)
SEED = 1
GUESSES = ((3, -1), (2, -2), (2, -1))


@dataclass(frozen=True)
class Line:
    """y = w * x + b"""

    w: float
    b: float

    def at(self, x: np.ndarray) -> np.ndarray:
        return self.w * x + self.b

    def __str__(self) -> str:
        return f"y = {self.w:g}x {'-' if self.b < 0 else '+'} {abs(self.b):g}"


@dataclass(frozen=True)
class Learned:
    """What came out. path: w and b after every epoch; losses: mean squared error of every epoch;
    at_ten: the network's answer for x = 10, in steps of `step`."""

    path: list[Line]
    losses: list[float]
    at_ten: float
    step: float

    @property
    def line(self) -> Line:
        return self.path[-1]


class Path2D(byteprop.Callback):
    """Writes down w and b after every epoch."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def on_epoch_end(self, epoch: int, logs: object) -> None:
        self.lines.append(line_of(self.model))


def line_of(model: byteprop.Model) -> Line:
    [(weights, biases)] = model.get_weights()
    return Line(float(weights[0, 0]), float(biases[0]))


def errors(guess: Line, truth: Line) -> tuple[float, float]:
    """Root of the summed squared errors over the six points, and root of their mean."""
    squares = (guess.at(X) - truth.at(X)) ** 2
    return float(np.sqrt(squares.sum())), float(np.sqrt(squares.mean()))


def network() -> byteprop.Sequential:
    """One neuron. The ranges say which numbers to expect: int8 has 256 steps for each."""
    return byteprop.Sequential(
        [byteprop.Dense(1)],
        input_shape=(1,),
        input_range=INPUT_RANGE,
        output_range=OUTPUT_RANGE,
        seed=SEED,
    )


def learn(truth: Line) -> Learned:
    """On this computer. window=0: the scales stay where the ranges have put them, so that the
    program for the smallest board can do without moving them."""
    model = network()
    path = Path2D()
    history = model.fit(
        X, truth.at(X), epochs=EPOCHS, learning_rate=LEARNING_RATE, schedule="constant",
        seed=SEED, window=0, callbacks=path,
    )  # fmt: skip
    at_ten = float(model.predict(np.array([[10.0]]))[0, 0])
    return Learned(path.lines, history.history["loss"], at_ten, float(model.outputs[0].scale))


def learn_on_board(truth: Line, board: str, port: str | None) -> str:
    """The same training on a board. Every step runs on this computer too, and all bits have to be
    the same, so w and b are those of this computer. Returns the text of `byteprop train`."""
    from byteprop.training.options import TrainOptions
    from byteprop_host.target import BoardTarget
    from byteprop_host.training.data import Sources
    from byteprop_host.training.job import Options, train
    from byteprop_host.training.subject import Subject

    with tempfile.TemporaryDirectory() as folder:
        points = Path(folder) / "points.npz"
        np.savez(points, x=X, y=truth.at(X))
        options = Options(
            Subject(net="1-1", input_range=INPUT_RANGE, output_range=OUTPUT_RANGE),
            Sources(points),
            TrainOptions(
                epochs=EPOCHS, learning_rate=LEARNING_RATE, schedule="constant", seed=SEED, window=0
            ),
        )
        result = train(options, BoardTarget.of(board, port=port))
    if not result.identical:
        raise SystemExit(result.text())
    return result.text()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--board", help="train on this board instead, for instance arduino-uno")
    parser.add_argument("--port", help="serial port of the board; the default is an emulator")
    parser.add_argument("--pictures", type=Path, default=Path("pictures"), metavar="FOLDER")
    args = parser.parse_args()

    truth = Line(2, -1)
    print(f"How far is a guess from {truth}? Errors at the six points, squared and summed:")
    for guess in (Line(w, b) for w, b in GUESSES):
        root_of_sum, rmse = errors(guess, truth)
        print(f"  {guess!s:12}  root of the sum {root_of_sum:.2f}   RMSE {rmse:.2f}")

    for truth in (Line(2, -1), Line(1.7, -0.3)):
        result = learn(truth)
        line = result.line
        print(f"\n{truth}, learned in {EPOCHS} epochs on {args.board or 'this computer'}:")
        if args.board:
            print(textwrap.indent(learn_on_board(truth, args.board, args.port), "  | "))
        print(f"  w = {line.w:.4f}   b = {line.b:.4f}   last loss {result.losses[-1]:.3g}")
        expected = truth.at(np.array(10.0))
        print(f"  for x = 10: {result.at_ten:.4f}, should be {expected:g};", end=" ")
        print(f"the output has steps of {result.step:g}")
        name = f"line_{truth.w:g}x{truth.b:+g}"
        for path in save_pictures(args.pictures, name, X, truth, result):
            print(f"  picture {path}")


if __name__ == "__main__":
    main()
