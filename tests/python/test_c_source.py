"""What a C file sees of the macros and folders that a build gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from byteprop.support import paths
from byteprop_host.boards.board import boards_root, load_board
from byteprop_host.firmware.build_plan import BuildPlan
from byteprop_host.firmware.c_source import CSource, Headers


@pytest.fixture
def source(tmp_path: Path) -> CSource:
    files = {
        "main/main.c": '#include "near.h"\n# include <first.h>\n#include <a.h>\nint a[SIZE];\n',
        "main/near.h": "#define NEAR 1\n",
        "one/first.h": '#pragma once\n#include "second.h"\n#ifdef FAST\n#endif\n/* X */ // X\n',
        "two/first.h": "#define WRONG HIDDEN\n",
        "two/second.h": "#include <first.h>\n",
        "three/unused.h": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return CSource.of(
        tmp_path / "main/main.c", Headers([tmp_path / f for f in ("one", "two", "three")])
    )


def test_headers_are_found_as_a_compiler_finds_them(source: CSource, tmp_path: Path) -> None:
    names = [str(path.relative_to(tmp_path)) for path in source.headers]
    assert names == ["main/near.h", "one/first.h", "two/second.h"]
    assert source.folders == {tmp_path / "one", tmp_path / "two"}
    assert len(source.contents()) == 4


def test_macros_are_those_that_are_named(source: CSource) -> None:
    given = {
        "SIZE": "2 * UNIT",
        "UNIT": "DEEP",
        "DEEP": "3",
        "FAST": "1",
        "HIDDEN": "1",
        "X": "UNIT",
    }
    assert list(source.seen(given)) == ["SIZE", "UNIT", "DEEP", "FAST"]


def test_a_changed_header_is_read_again(source: CSource, tmp_path: Path) -> None:
    (tmp_path / "one/first.h").write_text("#if HIDDEN\n#endif\n#define LONGER 1\n")
    again = CSource.of(source.file, Headers([tmp_path / "one"]))
    assert list(again.seen({"HIDDEN": "1", "FAST": "1"})) == ["HIDDEN"]


def test_boards_with_the_same_cpu_share_the_library() -> None:
    """And no unit has the board's name but the one that reports it."""
    plans = [plan_of(name) for name in ("nucleo-f446re", "mps2-an386")]
    units = [{unit.source.file: unit.flags for unit in plan.units()} for plan in plans]
    for file, flags in units[0].items():
        if file.is_relative_to(paths.csrc()) and file.parent.name not in {"app"}:
            assert units[1][file] == flags, file
    named = [f.name for f, flags in units[0].items() if any("BP_BOARD_NAME" in w for w in flags)]
    assert named == ["session.c"]
    ids = [
        u.source.file.name for u in plans[0].units() if u.with_defines(plans[0].id_define(7)) != u
    ]
    assert ids == ["session.c"]


def plan_of(name: str) -> BuildPlan:
    return BuildPlan(
        board=load_board(name),
        compiler=Path("cc"),  # nothing is compiled
        csrc=paths.csrc(),
        boards=boards_root(),
        image=None,
        program=(),
        defines={},
        flags=(),
    )
