"""Fixtures of the C library's folder; `library_tools` has what the tests call."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from library_tools import script


@pytest.fixture(scope="session")
def c_library() -> SimpleNamespace:
    return script()


@pytest.fixture(scope="session")
def library(c_library: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("c_library") / "byteprop"
    c_library.write(folder)
    return folder
