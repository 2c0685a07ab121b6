"""What `import byteprop` shows."""

from __future__ import annotations

import importlib.metadata

import pytest

import byteprop


def test_dir_shows_all_public_names_and_no_others() -> None:
    assert dir(byteprop) == sorted(byteprop.__all__)
    assert all(hasattr(byteprop, name) for name in byteprop.__all__)


def test_version_is_the_installed_one() -> None:
    assert byteprop.__version__ == importlib.metadata.version("byteprop")
    assert byteprop.__version__[0].isdigit()


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        _ = byteprop.lod
