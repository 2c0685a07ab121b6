"""Makes libbyteprop: the C library as a folder for CMake, Arduino, PlatformIO, Zephyr and ESP-IDF.

    python scripts/c_library.py [FOLDER]            the folder (default: dist/libbyteprop-VERSION)
    python scripts/c_library.py --archive [FOLDER]  also as .zip and .tar.gz next to it

The description is packages/libbyteprop.toml; what is written by hand for one of the package
managers is in packages/<manager>. Everything else of the folder is csrc.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
CSRC = ROOT / "csrc"
PACKAGES = ROOT / "packages"
# Folder or file of the repository -> place in the library's folder.
COPIED = {
    "csrc/include/byteprop": "src/byteprop",
    "packages/README.md": "README.md",
    "packages/cmake/CMakeLists.txt": "CMakeLists.txt",
    "packages/cmake/bytepropConfig.cmake.in": "cmake/bytepropConfig.cmake.in",
    "packages/cmake/byteprop.pc.in": "cmake/byteprop.pc.in",
    "packages/cmake/esp_idf.cmake": "cmake/esp_idf.cmake",
    "packages/arduino/src": "src",
    "packages/arduino/examples": "examples",
    "packages/arduino/keywords.txt": "keywords.txt",
    "packages/zephyr/module": "zephyr",
    "packages/zephyr/samples": "zephyr/samples",
    "LICENSE": "LICENSE",
    "CHANGELOG.md": "CHANGELOG.md",
}


# Sketch -> the model in its header.
MODELS = {
    "HelloWorld": "packages/arduino/models/sine.tflite",
    "Device": "packages/arduino/models/sine.tflite",
    "Fashion": "examples/fashion_mnist/fashion_mlp.tflite",
    "LearnOnDevice": "packages/arduino/models/line.tflite",
}


@dataclass(frozen=True)
class Component:
    """sources: paths in csrc. needs: components, of those that it needs itself too."""

    name: str
    sources: tuple[str, ...]
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Library:
    """The description, with the version of the Python package."""

    about: dict[str, Any]
    version: str
    components: tuple[Component, ...]
    left_out: tuple[str, ...]

    def sources(self) -> list[str]:
        return [source for component in self.components for source in component.sources]

    def place(self, source: str) -> str:
        """Where src has it. Archives know their members by name alone, without folder: of two files
        with one name Arduino's would keep the last, so both get their folder's name as well."""
        path = Path(source)
        is_alone = sum(Path(other).name == path.name for other in self.sources()) == 1
        return source if is_alone else str(path.with_name(f"{path.parent.name}_{path.name}"))


def read() -> Library:
    about = tomllib.loads((PACKAGES / "libbyteprop.toml").read_text(encoding="utf-8"))
    components = tuple(
        Component(name, _matches(entry["sources"]), tuple(entry["needs"]))
        for name, entry in about["component"].items()
    )
    return Library(about, version(), components, _matches(about["left_out"]))


def _matches(globs: list[str] | dict[str, str]) -> tuple[str, ...]:
    files = [file for glob in globs for file in sorted(CSRC.glob(glob))]
    return tuple(file.relative_to(CSRC).as_posix() for file in files)


def version() -> str:
    """The one version of the project."""
    return str(pyproject()["project"]["version"])


def manifests(library: Library) -> dict[str, str]:
    """Generated files: path in the folder -> text."""
    return {
        "cmake/sources.cmake": sources_cmake(library),
        "library.properties": library_properties(library),
        "library.json": library_json(library),
        "idf_component.yml": idf_component_yml(library),
        "zephyr/module.yml": module_yml(),
    }


def sources_cmake(library: Library) -> str:
    about = library.about
    lines = [f"set(BYTEPROP_VERSION {library.version})", f'set(BYTEPROP_TITLE "{about["title"]}")']
    for component in library.components:
        lines += [
            f'set(BYTEPROP_{component.name}_NEEDS "{";".join(component.needs)}")',
            f"set(BYTEPROP_{component.name}_SOURCES",
            *(f"    {library.place(source)}" for source in component.sources),
            ")",
        ]
    return "\n".join(["# Made by scripts/c_library.py of byteprop.", *lines, ""])


def library_properties(library: Library) -> str:
    about = library.about
    values = {
        "name": about["name"],
        "version": library.version,
        "author": about["author"],
        "maintainer": about["author"],
        "sentence": about["title"],
        "paragraph": about["text"],
        "category": "Data Processing",
        "url": url(),
        "architectures": "*",
        "includes": "Byteprop.h",
        # Of an archive, the linker takes only the files that a sketch needs.
        "dot_a_linkage": "true",
    }
    return "".join(f"{key}={value}\n" for key, value in values.items())


def library_json(library: Library) -> str:
    about = library.about
    return (
        json.dumps(
            {
                "name": about["name"],
                "version": library.version,
                "description": f"{about['title']} {about['text']}",
                "keywords": about["keywords"],
                "authors": [{"name": about["author"], "maintainer": True}],
                "license": about["license"],
                "homepage": url(),
                "repository": {"type": "git", "url": f"{url()}.git"},
                "headers": "byteprop/infer.h",
                "frameworks": "*",
                "platforms": "*",
                "examples": example_entries(),
                "build": {
                    "srcDir": "src",
                    "includeDir": "src",
                    "flags": ["-ffunction-sections", "-fdata-sections"],
                },
            },
            indent=2,
        )
        + "\n"
    )


def example_entries() -> list[dict[str, Any]]:
    folders = sorted(p for p in (PACKAGES / "arduino/examples").glob("*") if p.is_dir())
    return [
        {
            "name": folder.name,
            "base": f"examples/{folder.name}",
            "files": sorted([*(file.name for file in folder.iterdir()), *headers_of(folder.name)]),
        }
        for folder in folders
    ]


def headers_of(sketch: str) -> list[str]:
    """Headers that are made for a sketch."""
    return ["model.h", "samples.h"] if sketch == "Fashion" else ["model.h"]


def idf_component_yml(library: Library) -> str:
    about = library.about
    return (
        f'version: "{library.version}"\n'
        f'description: "{about["title"]}"\n'
        f'url: "{url()}"\n'
        f'license: "{about["license"]}"\n'
        "dependencies:\n"
        '  idf: ">=5.0"\n'
    )


def module_yml() -> str:
    return (
        "name: byteprop\n"
        "build:\n"
        "  cmake: zephyr\n"
        "  kconfig: zephyr/Kconfig\n"
        "samples:\n"
        "  - zephyr/samples\n"
    )


def url() -> str:
    """The project's one address."""
    return str(pyproject()["tool"]["byteprop"]["repository"])


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def write(folder: Path) -> Library:
    """Makes the folder anew."""
    library = read()
    shutil.rmtree(folder, ignore_errors=True)
    for source, place in COPIED.items():
        _copy(ROOT / source, folder / place)
    for source in library.sources():
        _copy(CSRC / source, folder / "src" / library.place(source))
    for header in private_headers(library):
        _copy(header, folder / "src" / header.relative_to(CSRC))
    for place, text in (manifests(library) | example_headers()).items():
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return library


def private_headers(library: Library) -> Iterator[Path]:
    """Headers next to the sources of the library, and of folders with headers alone."""
    folders = {Path(s).parent.as_posix() for s in library.sources()}
    for header in sorted(CSRC.rglob("*.h")):
        parent = header.relative_to(CSRC).parent.as_posix()
        if parent in folders:
            yield header


def example_headers() -> dict[str, str]:
    """The headers of the sketches: path in the folder -> text. They need the package byteprop."""
    import numpy as np

    import byteprop
    from byteprop.data import load_samples

    texts = {}
    for sketch, file in MODELS.items():
        model = byteprop.load(ROOT / file)
        with tempfile.TemporaryDirectory() as folder:
            header = Path(folder) / "model.h"
            model.save(header)
            texts[f"examples/{sketch}/model.h"] = header.read_text(encoding="utf-8")
    pictures = load_samples(ROOT / "examples/fashion_mnist/t10k-1000.npz", limit=2).x
    x = (pictures.astype(np.int16) - 128).astype(np.int8)
    y = byteprop.load(ROOT / MODELS["Fashion"]).run(x)
    texts["examples/Fashion/samples.h"] = samples_header(len(x), x.tobytes(), y.tobytes())
    return texts


def samples_header(n: int, inputs: bytes, outputs: bytes) -> str:
    lines = [
        "/* Pictures, and the outputs of a PC for them. */",
        "#include <Arduino.h>",
        "",
        f"#define SAMPLES {n}",
    ]
    for name, data in (("inputs", inputs), ("outputs", outputs)):
        size = len(data) // n
        rows = (", ".join(map(str, data[i : i + size])) for i in range(0, len(data), size))
        lines += [
            f"static const uint8_t sample_{name}[{n}][{size}] PROGMEM = {{",
            *textwrap.wrap(", ".join(f"{{{row}}}" for row in rows), 100),
            "};",
        ]
    return "\n".join([*lines, ""])


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        ignore = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=ignore)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--archive", action="store_true", help="also write .zip and .tar.gz")
    arguments = parser.parse_args()
    folder = (arguments.folder or ROOT / f"dist/libbyteprop-{version()}").resolve()
    write(folder)
    print(folder)
    name = str(folder) if folder.name.endswith(version()) else f"{folder}-{version()}"
    for kind in ("zip", "gztar") if arguments.archive else ():
        print(shutil.make_archive(name, kind, folder.parent, folder.name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
