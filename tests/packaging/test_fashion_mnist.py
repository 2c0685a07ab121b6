"""The images in the repository are what cut.py makes of the published data set."""

from __future__ import annotations

import importlib.util
import zlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "examples/fashion_mnist"


def load_cut() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cut", FOLDER / "cut.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def cut() -> ModuleType:
    module = load_cut()
    if not (module.DEBIAN_FOLDER / "t10k-images-idx3-ubyte.gz").exists():
        pytest.skip("Debian package dataset-fashion-mnist is not installed")
    return module


def test_file_holds_1000_labelled_images() -> None:
    with np.load(FOLDER / "t10k-1000.npz") as file:
        assert file["x"].shape == (1000, 28, 28) and file["x"].dtype == np.uint8
        assert file["y"].shape == (1000,) and file["y"].dtype == np.uint8
        assert set(file["y"].tolist()) == set(range(10))


def test_file_is_the_start_of_the_test_set(cut: ModuleType) -> None:
    wanted = cut.cut(cut.DEBIAN_FOLDER)
    with np.load(FOLDER / "t10k-1000.npz") as file:
        np.testing.assert_array_equal(file["x"], wanted["x"])
        np.testing.assert_array_equal(file["y"], wanted["y"])


def test_script_reproduces_the_file_byte_for_byte(cut: ModuleType) -> None:
    if "ng" in zlib.ZLIB_RUNTIME_VERSION:
        pytest.skip(f"zlib {zlib.ZLIB_RUNTIME_VERSION} compresses to other bytes than zlib 1.x")
    packed = cut.pack(cut.cut(cut.DEBIAN_FOLDER))
    assert packed == (FOLDER / "t10k-1000.npz").read_bytes()


def test_licence_of_the_images_is_with_them() -> None:
    text = (FOLDER / "LICENSE.fashion-mnist").read_text(encoding="utf-8")
    assert "MIT License" in text and "Zalando SE" in text
