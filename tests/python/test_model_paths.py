"""Where the C sources and boards are found: in the wheel first, else in the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from byteprop import BytepropError
from byteprop.support import paths


def test_the_checkout_has_both() -> None:
    assert (paths.csrc() / "include/byteprop/model.h").is_file()
    assert (paths.boards() / "arch").is_dir()


def test_the_wheel_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("package/_csrc/include/byteprop", "checkout/csrc/include/byteprop"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "model.h").touch()
    monkeypatch.setattr(paths, "_PACKAGE", tmp_path / "package")
    monkeypatch.setattr(paths, "_CHECKOUT", tmp_path / "checkout")
    assert paths.csrc() == tmp_path / "package/_csrc"
    (tmp_path / "package/_csrc/include/byteprop/model.h").unlink()
    assert paths.csrc() == tmp_path / "checkout/csrc"
    with pytest.raises(BytepropError, match=r"boards/ is missing \(looked at .*_boards and .*\)"):
        paths.boards()
