"""All manifests are made from one description: versions and lists of files agree."""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path
from types import SimpleNamespace

from library_tools import ROOT


def test_every_source_has_one_component_or_is_left_out(c_library: SimpleNamespace) -> None:
    described = c_library.read()
    listed = [*described.sources(), *described.left_out]
    present = [p.relative_to(c_library.CSRC).as_posix() for p in c_library.CSRC.rglob("*.c")]
    assert sorted(listed) == sorted(present)


def test_components_need_earlier_ones(c_library: SimpleNamespace) -> None:
    components = c_library.read().components
    known: list[str] = []
    for component in components:
        assert set(component.needs) <= set(known)
        known.append(component.name)


def properties(library: Path) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string("[x]\n" + (library / "library.properties").read_text(encoding="utf-8"))
    return dict(parser["x"])


def test_versions_are_the_package_s(library: Path) -> None:
    manifest = json.loads((library / "library.json").read_text(encoding="utf-8"))
    cmake = (library / "cmake/sources.cmake").read_text(encoding="utf-8")
    component = (library / "idf_component.yml").read_text(encoding="utf-8")
    found = {
        properties(library)["version"],
        manifest["version"],
        *re.findall(r"set\(BYTEPROP_VERSION (.+)\)", cmake),
        *re.findall(r'^version: "(.+)"', component, re.M),
    }
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert found == set(re.findall(r'^version = "(.+)"', project, re.M))
    (address,) = re.findall(r'^repository = "(.+)"', project, re.M)
    assert properties(library)["url"] == manifest["homepage"] == address


def test_listed_files_are_those_of_the_folder(library: Path) -> None:
    text = (library / "cmake/sources.cmake").read_text(encoding="utf-8")
    listed = re.findall(r"^    (\S+\.c)$", text, re.M)
    present = [p.relative_to(library / "src").as_posix() for p in (library / "src").rglob("*.c")]
    assert sorted(listed) == sorted(present)
    # Archives keep the last of two members with one name.
    names = [Path(path).name for path in listed]
    assert len(set(names)) == len(names)


def test_headers_are_all_there(library: Path) -> None:
    public = {p.name for p in (ROOT / "csrc/include/byteprop").glob("*.h")}
    assert {p.name for p in (library / "src/byteprop").glob("*.h")} == public
    included = re.compile(r'#include ["<]([\w/]+\.h)[">]')
    src = library / "src"
    for file in [*src.rglob("*.c"), *src.rglob("*.h")]:
        for name in included.findall(file.read_text(encoding="utf-8")):
            if name.partition("/")[0] in {p.name for p in src.iterdir() if p.is_dir()}:
                assert (src / name).is_file(), f"{file}: {name}"


def test_examples_are_listed(library: Path) -> None:
    manifest = json.loads((library / "library.json").read_text(encoding="utf-8"))
    listed = {f"{e['base']}/{name}" for e in manifest["examples"] for name in e["files"]}
    present = {p.relative_to(library).as_posix() for p in (library / "examples").glob("*/*")}
    assert listed == present


def test_arduino_manifest_is_whole(library: Path) -> None:
    found = properties(library)
    wanted = "name version author maintainer sentence paragraph category url architectures includes"
    assert set(wanted.split()) <= set(found)
    assert (library / "src" / found["includes"]).is_file()
    sketches = {p.name for p in (library / "examples").iterdir()}
    assert sketches == {"HelloWorld", "Fashion", "LearnOnDevice", "Device"}
    for name in sketches:
        assert (library / f"examples/{name}/{name}.ino").is_file()
        assert (library / f"examples/{name}/model.h").is_file()
    for line in (library / "keywords.txt").read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"\w+\t(KEYWORD[12]|LITERAL1)", line)
