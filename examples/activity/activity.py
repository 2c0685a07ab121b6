"""Lesson 3: what is a person doing? A network learns it, and then learns a new person on the board.

    python examples/activity/activity.py                    on this computer, some seconds
    python examples/activity/activity.py --board microbit   the new person is learned on the board

Part 1: rules written by hand. Below 4 miles per hour: walking. Below 12: running. Otherwise
biking. Then someone plays golf: speed does not distinguish a golfer from a walker.

Part 2: a network with 20 features of 2.56 seconds of acceleration, 16 hidden neurons and 4 answers
learns from eight people, and is tested on four others. It never sees the speed.

Part 3: a new person moves more gently and carries the sensor on its side, and the network is
wrong far more often. Five windows of every activity are enough to learn this person too, in
integers, where the sensor is: nothing has to leave the board.

The signals are made by signals.py; no people were measured. The figures show that the method works,
not how well it does on your wrist.
"""

from __future__ import annotations

import argparse
import tempfile
import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import byteprop
from features import COUNT, features
from pictures import save_pictures
from signals import ACTIVITIES, Windows, person, record, unusual_person

PEOPLE = 12
KNOWN = 8  # the others are for the test: split by person, so that no one is in both parts
WINDOWS_EACH = 40
EPOCHS = 20
NEWCOMERS = 5
LESSONS = 5  # windows of every activity that a newcomer records
LESSON_EPOCHS = 20
LESSON_RATE = 0.01


def rules(speed: np.ndarray) -> np.ndarray:
    """Rules of a programmer who did not think of golf."""
    answers = np.where(speed < 12, ACTIVITIES.index("running"), ACTIVITIES.index("biking"))
    return np.where(speed < 4, ACTIVITIES.index("walking"), answers)


def everybody() -> tuple[Windows, Windows]:
    """Windows of the people to learn from, and of those to be tested on."""
    windows = record([person(seed) for seed in range(PEOPLE)], WINDOWS_EACH, seed=1)
    return windows[windows.person < KNOWN], windows[windows.person >= KNOWN]


def newcomer(number: int) -> tuple[Windows, Windows]:
    """The few windows that a new person records, and later ones."""
    windows = record([unusual_person(100 + number)], LESSONS + WINDOWS_EACH, seed=200 + number)
    first = np.arange(len(windows.activity)) < LESSONS * len(ACTIVITIES)
    return windows[first], windows[~first]


def learn(windows: Windows, seed: int = 1) -> tuple[byteprop.Model, byteprop.History]:
    model = byteprop.Sequential(
        [byteprop.Dense(16, "relu"), byteprop.Dense(len(ACTIVITIES), "softmax")],
        input_shape=(COUNT,),
        input_range=(-1, 1),
        seed=seed,
    )
    history = model.fit(features(windows.signal), windows.activity, epochs=EPOCHS, seed=seed)
    return model, history


def answers(model: byteprop.Model, windows: Windows) -> np.ndarray:
    return np.asarray(model.predict(features(windows.signal)).argmax(axis=1))


def right(found: np.ndarray, windows: Windows) -> float:
    return float(np.mean(found == windows.activity))


def personalise(image: bytes, lessons: Windows) -> byteprop.Model:
    """A copy of the network that has learned from a newcomer's windows."""
    model = byteprop.load(image)
    model.fit(
        features(lessons.signal), lessons.activity,
        epochs=LESSON_EPOCHS, learning_rate=LESSON_RATE, seed=1,
    )  # fmt: skip
    return model


def confusion(found: np.ndarray, windows: Windows) -> np.ndarray:
    """counts[activity, answer]"""
    counts = np.zeros((len(ACTIVITIES), len(ACTIVITIES)), int)
    np.add.at(counts, (windows.activity, found), 1)
    return counts


def personalise_on_board(image: bytes, number: int, board: str, port: str | None) -> str:
    """A newcomer learned on a board, and the same on this computer; all bits have to be the same.
    Gives what `byteprop train` says: before, after, and what it took."""
    from byteprop.training.options import TrainOptions
    from byteprop_host.target import BoardTarget
    from byteprop_host.training.data import Sources
    from byteprop_host.training.job import Options, train
    from byteprop_host.training.subject import Subject

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "everybody.bpm").write_bytes(image)
        for part, windows in zip(("lessons", "later"), newcomer(number), strict=True):
            np.savez(folder / f"{part}.npz", x=features(windows.signal), y=windows.activity)
        options = Options(
            Subject(file=folder / "everybody.bpm"),
            Sources(folder / "lessons.npz", test=folder / "later.npz", validation_split=0.0),
            TrainOptions(epochs=LESSON_EPOCHS, learning_rate=LESSON_RATE, seed=1),
        )
        result = train(options, BoardTarget.of(board, port=port))
    if not result.identical:
        raise SystemExit(result.text())
    return result.text()


@dataclass(frozen=True)
class Newcomer:
    """Share of right answers for a newcomer, and afterwards for the people of the test."""

    before: float
    after: float
    others_after: float


def meet(model: byteprop.Model, number: int, others: Windows) -> Newcomer:
    lessons, later = newcomer(number)
    personal = personalise(model.image, lessons)
    return Newcomer(
        before=right(answers(model, later), later),
        after=right(answers(personal, later), later),
        others_after=right(answers(personal, others), others),
    )


def print_table(title: str, found: np.ndarray, windows: Windows) -> None:
    shares = [np.mean(found[windows.activity == a] == a) for a in range(len(ACTIVITIES))]
    each = "  ".join(f"{n} {s:4.0%}" for n, s in zip(ACTIVITIES, shares, strict=True))
    print(f"  {title:22} {right(found, windows):6.1%}   {each}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--board", help="learn the new person on this board, for instance microbit")
    parser.add_argument("--port", help="serial port of the board; the default is an emulator")
    parser.add_argument("--pictures", type=Path, default=Path("pictures"), metavar="FOLDER")
    args = parser.parse_args()

    known, others = everybody()
    model, _ = learn(known)
    print(f"{len(others.activity)} windows of people who were not in the training set:")
    print_table("rules for the speed", rules(others.speed), others)
    print_table("network", answers(model, others), others)

    print(f"\n{NEWCOMERS} new people, {LESSONS} windows of every activity to learn from:")
    met = [meet(model, number, others) for number in range(NEWCOMERS)]
    for number, one in enumerate(met, 1):
        print(
            f"  person {number}: before {one.before:6.1%}   after {one.after:6.1%}   "
            f"(the others then: {one.others_after:.1%})"
        )
    if args.board:
        print(f"\nPerson 1, learned on {args.board}:")
        text = personalise_on_board(model.image, 0, args.board, args.port)
        print(textwrap.indent(text, "  | "))
    for path in save_pictures(
        args.pictures,
        others,
        {
            "rules": confusion(rules(others.speed), others),
            "network": confusion(answers(model, others), others),
        },
        met,
    ):
        print(f"picture {path}")


if __name__ == "__main__":
    main()
