"""From scores to detections, in integers: firmware/main.c does the same."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

STEPS = 4  # whose scores are added
# Of STEPS * 255: chosen on voices that neither trained nor tested (evaluate.py).
THRESHOLD = 700
PAUSE = 16  # steps after a detection without another one: 0.96 s


class Detector:
    """Adds the last scores of the wake word, and compares the sum with a threshold."""

    def __init__(self, threshold: int = THRESHOLD) -> None:
        self.threshold = threshold
        self.last: deque[int] = deque([0] * STEPS, STEPS)
        self.pause = 0

    @property
    def sum(self) -> int:
        return sum(self.last)

    def heard(self, score: int) -> bool:
        """Takes the model's output for the wake word, int8; whether it is a detection."""
        self.last.append(score + 128)
        if self.pause > 0:
            self.pause -= 1
            return False
        if self.sum < self.threshold:
            return False
        self.pause = PAUSE
        return True


def detections(scores: npt.NDArray[np.int8], threshold: int = THRESHOLD) -> list[int]:
    """The steps at which the wake word is detected in a whole sound."""
    detector = Detector(threshold)
    return [step for step, score in enumerate(scores.tolist()) if detector.heard(score)]
