"""pytest plugin: the fixture `byteprop_device`, and the options that choose the board."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import byteprop
    from byteprop_host.target import BoardTarget
    from byteprop_host.verify.board_model import BoardModel
    from byteprop_host.verify.verdict import Verdict


class BoardUnderTest:
    """The value of `byteprop_device`: one board, which has one model at a time."""

    def __init__(self, target: BoardTarget) -> None:
        self.board = target.board
        self._target = target
        self._stack = ExitStack()
        self._loaded: BoardModel | None = None

    def load(self, model: str | Path | bytes | byteprop.Model) -> BoardModel:
        """Returns the model on the board, with `run` and `predict`; it replaces the model before.

        Loading the same model again costs nothing.
        """
        import byteprop
        from byteprop_host.verify.board_model import load_on_board

        chosen = model if isinstance(model, byteprop.Model) else byteprop.load(model)
        if self._loaded is not None and self._loaded.image == chosen.image:
            return self._loaded
        self.close()
        self._loaded = self._stack.enter_context(load_on_board(chosen, self._target))
        return self._loaded

    def verify(
        self, model: str | Path, data: str | Path | None = None, *, samples: int | None = None
    ) -> Verdict:
        """`byteprop verify` on this board; assert on `.identical`."""
        from byteprop_host.verify import verify

        self.close()
        return verify(
            Path(model),
            self._target,
            data=None if data is None else Path(data),
            samples=samples,
        )

    def close(self) -> None:
        """Releases the board; the next `load` starts it again."""
        self._loaded = None
        self._stack.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("byteprop", "int8 models on microcontrollers")
    group.addoption(
        "--byteprop-board",
        default="host",
        metavar="BOARD",
        help="board that byteprop_device runs on (default: host)",
    )
    group.addoption(
        "--byteprop-port",
        default=None,
        metavar="PORT",
        help="serial port of the board (default: found by USB ids)",
    )
    group.addoption(
        "--byteprop-probe",
        default=None,
        metavar="SERIAL",
        help="serial number of the board's debug probe, when several are plugged in",
    )
    group.addoption(
        "--byteprop-emulated",
        action="store_true",
        default=False,
        help="use the board's emulator, even if such a board is plugged in",
    )
    group.addoption(
        "--byteprop-timeout",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="seconds to wait for a response (default: 10)",
    )


def pytest_report_header(config: pytest.Config) -> str:
    return f"byteprop board: {config.getoption('--byteprop-board')}"


@pytest.fixture(scope="session")
def byteprop_device(request: pytest.FixtureRequest) -> Iterator[BoardUnderTest]:
    """The board that the options name."""
    from byteprop_host.target import BoardTarget

    option = request.config.getoption
    device = BoardUnderTest(
        BoardTarget.of(
            option("--byteprop-board"),
            port=option("--byteprop-port"),
            probe=option("--byteprop-probe"),
            emulated=option("--byteprop-emulated"),
            timeout=option("--byteprop-timeout"),
        )
    )
    yield device
    device.close()
