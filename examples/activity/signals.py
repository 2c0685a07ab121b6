"""Accelerometer signals of people who walk, run, ride a bicycle and play golf, made by arithmetic.

No one was measured. Every number below is of the size that sports science reports, and every person
is different, so that a network has something to learn and a new person something to teach.

The model of a signal, in g (1 g = 9.81 m/s2), 50 samples per second, windows of 128 (2.56 s):

* Body axes: x forward, y left, z up. Gravity is 1 g on z.
* walking: 1.6 to 2.1 steps per second. z rises and falls with every step (0.15 to 0.3 g) with a
  second and third harmonic; x follows a quarter of a step later; y swings once in two steps. Every
  heel that lands is a short knock.
* running: 2.4 to 3.0 steps per second, 0.8 to 1.3 g, and near weightlessness while both feet are
  off the ground, so the lower half of the wave is cut off.
* biking: 1.0 to 1.6 turns of the pedals per second, which hardly move the hip (0.03 to 0.08 g), the
  rumble of the road (0.05 to 0.2 g, all frequencies) and a back that leans forward.
* golfing: standing, swaying slowly; then a swing: 0.8 s back, 0.3 s down with 0.6 to 1.4 g
  towards the circle's centre and a knock when the ball is hit, then the way out. Between two shots
  the player takes some slow steps.
* The sensor sits on the hip, turned in its pocket as the person likes: up to 20 degrees about
  every axis for most people. Noise of 0.01 g, range of 8 g, steps of 1/64 g, as cheap sensors have.

Speed (miles per hour, as a watch with GPS reports it) comes with every window, for rules made by
hand: walking 2 to 4.2, running 5 to 9, biking 9 to 18, golfing 0 to 3.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ACTIVITIES = ("walking", "running", "biking", "golfing")
RATE_HZ = 50
WINDOW = 128
_RANGE_G = 8.0
_STEP_G = 1 / 64
_NOISE_G = 0.01

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Person:
    """How a person moves, and how the sensor is mounted."""

    steps_hz: float
    runs_hz: float
    pedals_hz: float
    vigour: float  # 1: average; scales every movement
    lean: float  # radians that the back leans forward on the bicycle
    mounting: Floats  # rotation matrix [3, 3] from body to sensor axes


@dataclass(frozen=True)
class Windows:
    """signal [n, 128, 3] in g, activity [n] as index of ACTIVITIES, speed [n], person [n]."""

    signal: Floats
    activity: npt.NDArray[np.int64]
    speed: Floats
    person: npt.NDArray[np.int64]

    def __getitem__(self, chosen: npt.NDArray[np.generic]) -> Windows:
        return Windows(
            self.signal[chosen], self.activity[chosen], self.speed[chosen], self.person[chosen]
        )


def person(seed: int, *, turned: float = 20.0) -> Person:
    """A person. turned: the most degrees that the sensor is turned about each axis."""
    draw = np.random.RandomState(seed)
    return Person(
        steps_hz=draw.uniform(1.6, 2.1),
        runs_hz=draw.uniform(2.4, 3.0),
        pedals_hz=draw.uniform(1.0, 1.6),
        vigour=draw.uniform(0.75, 1.3),
        lean=draw.uniform(0.2, 0.6),
        mounting=_rotation(*np.radians(draw.uniform(-turned, turned, 3))),
    )


def unusual_person(seed: int) -> Person:
    """A person who moves gently, sits upright, and carries the sensor on its side."""
    draw = np.random.RandomState(seed)
    return Person(
        steps_hz=draw.uniform(1.4, 1.6),
        runs_hz=draw.uniform(2.0, 2.3),
        pedals_hz=draw.uniform(0.8, 1.0),
        vigour=draw.uniform(0.5, 0.6),
        lean=draw.uniform(0.0, 0.1),
        mounting=_rotation(
            np.radians(draw.uniform(70, 110)), *np.radians(draw.uniform(-15, 15, 2))
        ),
    )


def record(people: list[Person], windows_each: int, *, seed: int) -> Windows:
    """Windows of every person in every activity, in turn."""
    draw = np.random.RandomState(seed)
    rows = [
        (number, activity, *_window(draw, one, activity))
        for number, one in enumerate(people)
        for _ in range(windows_each)
        for activity in range(len(ACTIVITIES))
    ]
    return Windows(
        signal=np.array([row[2] for row in rows]),
        activity=np.array([row[1] for row in rows]),
        speed=np.array([row[3] for row in rows]),
        person=np.array([row[0] for row in rows]),
    )


def _window(draw: np.random.RandomState, who: Person, activity: int) -> tuple[Floats, float]:
    """Signal [128, 3] as the sensor sees it, and the speed."""
    t = np.arange(WINDOW) / RATE_HZ + draw.uniform(0, 10)
    movement, speed = (_walk, _run, _bike, _golf)[activity](draw, who, t)
    gravity = np.array([0.0, 0.0, 1.0])
    if ACTIVITIES[activity] == "biking":
        gravity = _rotation(0.0, who.lean, 0.0) @ gravity
    # Trousers shift: no two windows have quite the same mounting.
    mounting = who.mounting @ _rotation(*np.radians(draw.uniform(-4, 4, 3)))
    seen = (movement + gravity) @ mounting.T + draw.normal(0, _NOISE_G, (WINDOW, 3))
    return np.clip(np.round(seen / _STEP_G) * _STEP_G, -_RANGE_G, _RANGE_G), speed


def _walk(draw: np.random.RandomState, who: Person, t: Floats) -> tuple[Floats, float]:
    steps = who.steps_hz * draw.uniform(0.93, 1.07)
    movement = _steps(t, steps, who.vigour * draw.uniform(0.15, 0.3))
    return movement, float(np.clip(draw.normal(3.1, 0.5), 2.0, 4.2))


def _run(draw: np.random.RandomState, who: Person, t: Floats) -> tuple[Floats, float]:
    steps = who.runs_hz * draw.uniform(0.95, 1.05)
    movement = _steps(t, steps, who.vigour * draw.uniform(0.8, 1.3))
    movement[:, 2] = np.maximum(movement[:, 2], -0.95)  # in the air nothing weighs anything
    return movement, float(np.clip(draw.normal(7, 1), 5, 9))


def _bike(draw: np.random.RandomState, who: Person, t: Floats) -> tuple[Floats, float]:
    pedals = who.pedals_hz * draw.uniform(0.85, 1.15)
    amplitude = who.vigour * draw.uniform(0.03, 0.08)
    movement = draw.normal(0, draw.uniform(0.05, 0.2), (len(t), 3)) * [0.7, 0.5, 1.0]
    movement[:, 1] += amplitude * np.sin(2 * np.pi * pedals * t)
    movement[:, 2] += amplitude * np.sin(2 * np.pi * 2 * pedals * t + 0.6)
    return movement, float(np.clip(draw.normal(13, 2.5), 9, 18))


def _golf(draw: np.random.RandomState, who: Person, t: Floats) -> tuple[Floats, float]:
    between_shots = draw.uniform() < 0.25
    steps = 0.8 * who.steps_hz * draw.uniform(0.9, 1.1)
    movement = _steps(t, steps, 0.1 * who.vigour) if between_shots else np.zeros((len(t), 3))
    movement[:, :2] += 0.02 * np.sin(2 * np.pi * 0.4 * t[:, np.newaxis] + [0.0, 1.3])
    if between_shots:
        return movement, float(draw.uniform(1.5, 3.5))
    return movement + _swing(draw, who, t - t[0]), float(draw.uniform(0, 1))


def _swing(draw: np.random.RandomState, who: Person, t: Floats) -> Floats:
    hit = draw.uniform(1.1, 2.0)
    before = t - hit
    back = np.where((before > -1.1) & (before < -0.3), np.sin(np.pi * (before + 1.1) / 0.8), 0.0)
    down = np.exp(-((before / 0.15) ** 2))
    knock = np.where(before >= 0, np.exp(-before / 0.03), 0.0)
    out = np.where((before > 0) & (before < 0.8), np.sin(np.pi * before / 0.8), 0.0)
    pull = who.vigour * draw.uniform(0.6, 1.4)
    return np.stack(
        [
            0.10 * back + 0.5 * pull * down - 0.15 * out,
            -0.25 * back + pull * down + 0.5 * knock + 0.3 * out,
            -0.08 * back + 0.3 * pull * down + 0.4 * knock,
        ],
        axis=1,
    )


def _steps(t: Floats, steps_hz: float, amplitude: float) -> Floats:
    """Movement [n, 3] of a hip above two legs."""
    turn = 2 * np.pi * steps_hz * t
    up = np.sin(turn) + 0.4 * np.sin(2 * turn + 0.8) + 0.15 * np.sin(3 * turn + 1.7)
    since_heel = (steps_hz * t) % 1.0 / steps_hz
    knock = np.exp(-since_heel / 0.03)
    forward = 0.5 * np.sin(turn - np.pi / 2) + 0.2 * np.sin(2 * turn)
    left = 0.4 * np.sin(turn / 2)
    return amplitude * np.stack([forward - 0.3 * knock, left, up + 0.8 * knock], axis=1)


def _rotation(x: float, y: float, z: float) -> Floats:
    """Matrix that turns by these angles (radians) about the three axes, one after the other."""
    cx, cy, cz = np.cos([x, y, z])
    sx, sy, sz = np.sin([x, y, z])
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)
