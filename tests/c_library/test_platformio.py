"""PlatformIO accepts the manifest and packs the folder."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from library_tools import run

# PlatformIO downloads the list of licences; this one replaces it.
PACK = """
import sys
from platformio.package.manifest.schema import ManifestSchema
ManifestSchema.load_spdx_licenses = staticmethod(
    lambda *more: {"licenses": [{"licenseId": "Apache-2.0"}]}
)
from platformio.__main__ import cli
sys.argv = ["pio", "pkg", "pack", *sys.argv[1:]]
cli()
"""


def test_pack(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("platformio", reason="checks its manifest")
    import sys

    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "core"))
    monkeypatch.setenv("PLATFORMIO_SETTING_ENABLE_TELEMETRY", "No")
    archive = tmp_path / "byteprop.tar.gz"
    run(sys.executable, "-c", PACK, "-o", archive, library)
    with tarfile.open(archive) as packed:
        names = {name.removeprefix("./") for name in packed.getnames()}
    assert {"library.json", "src/byteprop/infer.h", "src/Byteprop.cpp"} <= names
    assert {
        f"src/{p.relative_to(library / 'src')}" for p in (library / "src").rglob("*.c")
    } <= names
