"""docs/adding-an-op.md, followed word by word on a copy of the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docs_examples import ROOT, Block, find_blocks

pytestmark = pytest.mark.timeout(600)  # of the first test, with the fixture that builds a package

DOCUMENT = ROOT / "docs/adding-an-op.md"
COPIED = ("boards", "csrc", "docs", "host_tools", "runtime", "tests", "setup.py", "pyproject.toml")
MADE = shutil.ignore_patterns("__pycache__", "*.so", "_bin", "*.egg-info", "build")


def apply(block: Block, tree: Path) -> None:
    """Writes a new file, or puts lines before the one that is the last, or behind the first."""
    if path := block.settings.get("create"):
        assert not (tree / path).exists(), f"{block.where}: {path} exists"
        (tree / path).write_text(block.text, encoding="utf-8")
    elif path := block.settings.get("insert"):
        text = (tree / path).read_text(encoding="utf-8")
        first, *_, last = block.text.splitlines(keepends=True)
        anchors = [line for line in (last, first) if text.count(f"\n{line}") == 1]
        assert anchors, f"{block.where}: neither {first!r} nor {last!r} is one line of {path}"
        changed = text.replace(f"\n{anchors[0]}", f"\n{block.text}")
        (tree / path).write_text(changed, encoding="utf-8")


def run(tree: Path, *command: str | Path) -> str:
    path = os.pathsep.join(str(tree / folder) for folder in ("runtime", "host_tools"))
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300.0,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree with the document's blocks in it, built."""
    pytest.importorskip("cffi")
    if shutil.which("cc") is None and shutil.which("gcc") is None:
        pytest.skip("no C compiler is installed")
    folder = tmp_path_factory.mktemp("op") / "byteprop"
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=MADE)
        else:
            shutil.copy(source, folder / name)
    for block in find_blocks(DOCUMENT):
        apply(block, folder)
    run(folder, "setup.py", "--quiet", "build_ext", "--inplace")
    return folder


def test_the_op_is_the_one_of_the_copy(tree: Path) -> None:
    shown = run(tree, "-c", "import byteprop.image as i; print(i.__file__, sorted(i.all_ops()))")
    assert str(tree) in shown and "'abs'" in shown
    assert not (ROOT / "csrc/ops/abs.c").exists(), "the document is a real addition"


def test_it_equals_tensorflow_lite(tree: Path) -> None:
    pytest.importorskip("tflite_runtime.interpreter")
    shown = run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS)
    assert " passed" in shown and "failed" not in shown


TESTS = (
    "tests/python/test_op_abs.py",
    "tests/python/test_image_format.py",
    "tests/test_architecture.py::test_reader_and_walk_know_no_single_op",
    "tests/test_architecture.py::test_csrc_includes",
    "tests/test_architecture.py::test_reference_is_independent_of_the_c_kernels",
)


def test_its_sources_are_clean(tree: Path) -> None:
    pytest.importorskip("ruff")
    files = [b.settings["create"] for b in find_blocks(DOCUMENT) if "create" in b.settings]
    for name in (name for name in files if name.endswith(".c")):
        flags = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-fsyntax-only")
        includes = (f"-I{tree / 'csrc/include'}", f"-I{tree / 'csrc'}")
        subprocess.run(["gcc", "-std=c99", *flags, *includes, tree / name], check=True)
    python = [name for name in files if name.endswith(".py")]
    run(tree, "-m", "ruff", "check", "--no-cache", *python)
    run(tree, "-m", "ruff", "format", "--no-cache", "--check", *python)


def test_a_board_runs_it(tree: Path, tmp_path: Path) -> None:
    """Alone in the firmware, on an emulated Cortex-M4 and, where there is none, nowhere."""
    for program in ("arm-none-eabi-gcc", "qemu-system-arm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    made = tmp_path / "abs.tflite"
    (tree / "make.py").write_text(
        "import sys; sys.path.insert(0, 'tests/python')\n"
        "from pathlib import Path\n"
        "from test_op_abs import model\n"
        f"Path({str(made)!r}).write_bytes(model(3))\n",
        encoding="utf-8",
    )
    run(tree, "make.py")
    command = ("-m", "byteprop_host", "verify", made, "--board", "mps2-an386", "--samples", "20")
    shown = run(tree, *command, "--report", tmp_path / "report.html")
    assert "identical: 20 of 20 samples, 5,120 of 5,120 output bytes" in shown


# The same op with scratch memory: what a row, a spec and a check have to say of it.
WITH_SCRATCH = (
    (
        "csrc/include/byteprop/model.h",
        "abs, 1, 1, 2, BP_OP_INT8 | BP_OP_SAME_SIZE | BP_OP_IN_PLACE)",
        "abs, 1, 1, 2, BP_OP_INT8 | BP_OP_SAME_SIZE | BP_OP_SCRATCH)",
    ),
    (
        "csrc/ops/abs.c",
        "    (void)reader;\n",
        "    if (bp_record_elems(bp_operand_record(reader->model, op, 2)) !=\n"
        "        bp_record_elems(bp_operand_record(reader->model, op, 0)) + 8) {\n"
        "        return BP_E_SHAPE;\n"
        "    }\n",
    ),
    (
        "csrc/ops/abs.c",
        "    bp_abs_s8((int8_t *)arena",
        "    uint8_t *copy = arena + (size_t)bp_record_offset(bp_operand_record(model, op, 2));\n"
        "    for (uint32_t i = 0; i < bp_record_elems(tx) + 8; ++i) {\n"
        "        copy[i] = 0x55;\n"
        "    }\n"
        "    bp_abs_s8((int8_t *)arena",
    ),
    (
        "runtime/byteprop/ops/abs.py",
        "    in_place = InPlace.LAST_READER\n",
        "    in_place = InPlace.NEVER\n\n"
        "    def scratch_bytes(self, at: Placed[Abs]) -> int:\n"
        "        return at.x.elems + 8\n",
    ),
    (
        "tests/python/test_op_abs.py",
        "    assert byteprop.load(model(1)).arena_bytes == 256\n",
        "    assert byteprop.load(model(1)).arena_bytes == 256 + 256 + 264\n"
        "\n\n"
        "@pytest.mark.parametrize(\n"
        "    ('name', 'value', 'status'),\n"
        "    [('elems', 263, 'SHAPE'), ('offset', 256, 'OVERLAP'), ('kind', 0, 'KIND')],\n"
        ")\n"
        "def test_scratch_that_is_not_as_planned(name: str, value: int, status: str) -> None:\n"
        "    blob = bytearray(byteprop.load(model(1)).image)\n"
        "    header = np.frombuffer(blob, image.HEADER, 1)[0]\n"
        "    records = np.frombuffer(blob, image.TENSOR, 3, int(header['tensors_offset']))\n"
        "    assert records['kind'].tolist() == [0, 0, 3]\n"
        "    records[2][name] = value\n"
        "    if name == 'elems':\n"
        "        records[2]['dims'][0] = value\n"
        "    blob[12:16] = zlib.crc32(blob[16:]).to_bytes(4, 'little')\n"
        "    with pytest.raises(byteprop.ModelError, match=f'E_{status}'):\n"
        "        byteprop.load(bytes(blob))\n",
    ),
    (
        "tests/python/test_op_abs.py",
        "import numpy as np\n",
        "import zlib\n\nimport numpy as np\n",
    ),
)


def test_an_op_with_scratch_memory(tree: Path, tmp_path: Path) -> None:
    """Planner and reader agree on its bytes, exactly; it overlaps nothing that the op reads."""
    pytest.importorskip("tflite_runtime.interpreter")
    folder = tmp_path / "byteprop"
    shutil.copytree(tree, folder)
    for path, old, new in WITH_SCRATCH:
        text = (folder / path).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{path}: {old!r}"
        (folder / path).write_text(text.replace(old, new), encoding="utf-8")
    run(folder, "setup.py", "--quiet", "build_ext", "--inplace", "--force")
    shown = run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", TESTS[0])
    assert " passed" in shown and "failed" not in shown
