"""pytest plugin: the fixture `byteprop_device`, and the options that choose the board or a rig."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

_HOST_ERROR = "byteprop_host.errors.HostError"
_BOARD_ID = re.compile(r"(?<=[\[-])\([\w.-]+\)(?=[]-])")  # a board of the rig in a test's id

if TYPE_CHECKING:
    import byteprop
    from byteprop_host.rig import Rig
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
        "--byteprop-rig",
        default=None,
        metavar="FILE",
        help="rig.toml: run the tests of byteprop_device on each of its boards",
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


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Checks the options of a rig before anything is collected."""
    option = config.getoption
    if option("--byteprop-rig") is None:
        return
    given = [o for o in _FOR_ONE_BOARD if option(o) != _FOR_ONE_BOARD[o]]
    if given:
        raise pytest.UsageError(f"{given[0]} is for one board; leave it out with --byteprop-rig")
    _rig(config)


def _rig(config: pytest.Config) -> Rig:
    from byteprop_host.errors import HostError
    from byteprop_host.rig import read_rig

    file, timeout = (config.getoption(f"--byteprop-{o}") for o in ("rig", "timeout"))
    try:
        return read_rig(Path(file), timeout=timeout)
    except HostError as error:
        raise pytest.UsageError(f"--byteprop-rig: {error}") from None


# Options that --byteprop-rig excludes, with their defaults.
_FOR_ONE_BOARD = {
    "--byteprop-board": "host",
    "--byteprop-port": None,
    "--byteprop-probe": None,
    "--byteprop-emulated": False,
}


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Has pytest-xdist give all tests of a board to one process: two must not use one board.

    Marks of the kind xdist_group would not do: pytest 9.2 with pytest-xdist 3.8 ignores them.
    """
    if config.getoption("--byteprop-rig") is None:
        return None
    from xdist.scheduler import LoadGroupScheduling

    class ByBoard(LoadGroupScheduling):  # type: ignore[misc, unused-ignore]
        def _split_scope(self, nodeid: str) -> str:
            board = _BOARD_ID.search(nodeid)
            return board[0] if board else str(super()._split_scope(nodeid))

    return ByBoard(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A board that is missing, busy or silent is one line: frames of byteprop would explain
    nothing. --tb=long shows them."""
    report = yield
    found = call.excinfo
    if found is None or item.config.getoption("tbstyle") not in ("auto", "short", "line"):
        return report
    if any(f"{c.__module__}.{c.__name__}" == _HOST_ERROR for c in found.type.__mro__):
        lines = [entry.lineno + 1 for entry in found.traceback if entry.path == item.path]
        where = ":".join(map(str, [item.path.name, *lines[-1:]]))
        report.longrepr = f"{where}: {found.type.__name__}: {found.value}"
    return report


def pytest_report_header(config: pytest.Config) -> str:
    rig = config.getoption("--byteprop-rig")
    if rig is not None:
        return f"byteprop rig: {rig}"
    return f"byteprop board: {config.getoption('--byteprop-board')}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs each test that uses the board on every board of the rig."""
    config = metafunc.config
    if "byteprop_device" not in metafunc.fixturenames or not config.getoption("--byteprop-rig"):
        return
    boards = [pytest.param(b.target, id=f"({b.name})") for b in _rig(config).boards]
    metafunc.parametrize("byteprop_device", boards, indirect=True, scope="session")


@pytest.fixture(scope="session")
def byteprop_device(request: pytest.FixtureRequest) -> Iterator[BoardUnderTest]:
    """The board that the options name, or each board of the rig."""
    device = BoardUnderTest(getattr(request, "param", None) or _target(request.config))
    yield device
    device.close()


def _target(config: pytest.Config) -> BoardTarget:
    from byteprop.errors import BytepropError
    from byteprop_host.target import BoardTarget

    option = config.getoption
    try:
        return BoardTarget.of(
            option("--byteprop-board"),
            port=option("--byteprop-port"),
            probe=option("--byteprop-probe"),
            emulated=option("--byteprop-emulated"),
            timeout=option("--byteprop-timeout"),
        )
    except BytepropError as error:
        pytest.fail(f"--byteprop-board: {error}", pytrace=False)
