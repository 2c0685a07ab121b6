"""The state of a model on a board, one step behind its answers.

A board that is reset forgets its state. The host makes every answered step too, so it
knows the state after it, and writes it to a board that has lost it.
"""

from __future__ import annotations

import numpy as np

from byteprop.engine._raw import Engine, const
from byteprop.errors import ArgumentError
from byteprop_host.link.messages import Message
from byteprop_host.link.session import BoardSession

_TENSOR = const("BP_OBJ_TENSOR")


class Steps:
    """Of the selected model; for one without state all of this does nothing."""

    def __init__(self, session: BoardSession) -> None:
        self._session = session
        self._image: bytes | None = None
        self._copy: Engine | None = None
        self._before = b""  # the state before the last step
        self._at = 0  # the selection after which the board has the copy's state

    @property
    def copy(self) -> Engine | None:
        """The model as it is after the last step that was answered; None for one without state."""
        image = self._session.expected_image
        if image is not self._image:
            self._image = image
            opened = None if image is None else self._session.opened(image)
            self._copy = opened if opened is not None and opened.state_bytes else None
            if self._copy is not None:
                self._copy.reset()
                self._before = self._copy.get_state()
            self._at = self._session.selections
        return self._copy

    def forget(self) -> None:
        """The model is selected again, and so begins again."""
        self._image = self._copy = None

    def reset(self) -> None:
        """Asks the board to begin again."""
        if self.copy is not None:
            self.copy.reset()
        self._session.request(Message.RESET_STATE)
        self._at = self._session.selections

    def restore(self) -> None:
        """Before a step: writes the state to a board that does not have it."""
        if self.copy is not None and self._at != self._session.selections:
            self._write(self.copy, self.copy.get_state())
            self._at = self._session.selections

    def is_answered(self, inputs: bytes) -> None:
        """A step was answered; the copy makes it, too."""
        if self.copy is not None:
            self._before = self.copy.get_state()
            self.copy.run(_row(inputs))

    def try_again(self, *, last: bool = False) -> None:
        """Before ops are run out of turn: writes the state after the last step, or before it
        (last). The board gets its own state back before the next step."""
        if self.copy is not None:
            self._write(self.copy, self._before if last else self.copy.get_state())
            self._at = -1

    def tensors(self) -> tuple[tuple[int, int], ...]:
        """Index and bytes of each tensor of state."""
        return self._required().states

    def set(self, state: bytes) -> None:
        """The next step begins with this state: all tensors of state, one after the other."""
        self._required().set_state(state)
        self._before = bytes(state)
        self._at = -1

    def _required(self) -> Engine:
        if self.copy is None:
            raise ArgumentError("state: expected a model with state and a known image, got none")
        return self.copy

    def _write(self, copy: Engine, state: bytes) -> None:
        requests, at = [], 0
        for index, n in copy.states:
            requests += self._session.submit_write(_TENSOR, state[at : at + n], index)
            at += n
        self._session.finish_write(requests)


def _row(inputs: bytes) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.frombuffer(inputs, np.uint8).reshape(1, -1)
