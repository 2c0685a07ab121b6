"""Firmware has the ops that its model or its board.toml names, and no others; the host knows."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from byteprop import image
from byteprop.errors import UnsupportedOpError
from byteprop.graph import Graph
from byteprop.ops import specs
from byteprop.training.trainable import TRAINED_OPS
from byteprop_host.boards.board import load_board, parse_board
from byteprop_host.errors import BoardFileError
from byteprop_host.firmware.build import build
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.flash import start
from byteprop_host.link import Device
from byteprop_host.link.messages import Message
from c_build import INCLUDES, STRICT, compile_c, library_sources, missing
from random_graphs import graph_of_every_op, small_graph

DENSE_AND_SOFTMAX = image.encode(small_graph())


def ops_of(firmware: Firmware) -> set[str]:
    """The ops whose functions are in an executable."""
    tool = "avr-nm" if firmware.board.build.toolchain == "avr" else "arm-none-eabi-nm"
    listed = subprocess.run([tool, firmware.elf], capture_output=True, text=True, check=True)
    names = {spec.name for spec in specs()}
    return {n for n in names if re.search(rf"\bbp_op_{n}_(run|check)\b", listed.stdout)}


def built(name: str, model: bytes | None, **options: bool) -> Firmware:
    board = load_board(name)
    if shutil.which(f"{board.build.toolchain}-gcc") is None:
        pytest.skip(f"{board.build.toolchain}-gcc is not installed")
    return build(board, model, **options)


@pytest.mark.parametrize("name", ["mps2-an386", "microbit", "arduino-uno"])
def test_a_baked_model_brings_its_ops_alone(name: str) -> None:
    assert ops_of(built(name, DENSE_AND_SOFTMAX)) == {"dense", "softmax"}


def test_the_kernels_of_other_ops_are_not_linked() -> None:
    with_softmax = built("mps2-an386", DENSE_AND_SOFTMAX)
    every = built("mps2-an386", image.encode(graph_of_every_op()))
    assert "bp_rescale_8" not in symbols(with_softmax) and "bp_rescale_8" in symbols(every)
    assert with_softmax.program_flash_bytes + 300 < every.program_flash_bytes


def symbols(firmware: Firmware) -> str:
    command = ["arm-none-eabi-nm", str(firmware.elf)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_firmware_for_uploads_has_what_board_toml_names() -> None:
    cortex = built("mps2-an386", None)
    assert set(cortex.board.build.ops) == ops_of(cortex) < image.all_ops()
    uno = built("arduino-uno", None, train=True)
    assert set(uno.board.build.ops) == {"dense", "reshape"} == ops_of(uno)


def test_firmware_that_trains_has_what_a_trained_model_can_have() -> None:
    board = load_board("mps2-an386")
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    board = replace(board, build=replace(board.build, ops=()))
    assert ops_of(build(board, train=True)) == TRAINED_OPS


def test_an_unknown_op_in_board_toml_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "mps2-an386"
    folder.mkdir()
    original = load_board("mps2-an386").folder / "board.toml"
    text = original.read_text(encoding="utf-8").replace('["dense", ', '["dens", ')
    (folder / "board.toml").write_text(text, encoding="utf-8")
    with pytest.raises(BoardFileError, match=r"build.ops: expected .*dense.*, got 'dens'"):
        parse_board(folder / "board.toml")


def test_a_missing_op_is_named_before_anything_is_uploaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    board = load_board("host")
    without_softmax = image.op_mask(image.all_ops() - {"softmax"})
    firmware = build(board, defines={"BP_OPS_LOW": f"{without_softmax:#x}ULL"})
    sent: list[Message] = []
    with start(board, firmware) as running, Device.open(running.port) as device:
        assert device.info.ops == image.all_ops() - {"softmax"}
        submit = device.session.submit

        def recorded(kind: Message, *rest: bytes) -> int:
            sent.append(kind)
            return submit(kind, *rest)

        monkeypatch.setattr(device.session, "submit", recorded)
        with pytest.raises(
            UnsupportedOpError, match=r"needs softmax, and the firmware of host has"
        ):
            device.load_image(DENSE_AND_SOFTMAX)
        assert sent == []
        reshape = image.encode(graph_without("softmax"))
        device.load_image(reshape)
        assert Message.LOAD_BEGIN in sent


def graph_without(name: str) -> Graph:
    """The graph of every op up to that op."""
    graph = graph_of_every_op()
    n = next(i for i, op in enumerate(graph.ops) if type(op).__name__.lower() == name)
    tensors = tuple(graph.tensors[: n + 1])
    return Graph(tensors, graph.ops[:n], graph.inputs, (n,))


@pytest.mark.parametrize("name", sorted(image.all_ops()))
@pytest.mark.parametrize("kinds", ["1", "0x3F"])
def test_a_library_with_one_op_compiles_without_a_warning(
    name: str, kinds: str, tmp_path: Path
) -> None:
    if reason := missing("gcc"):
        pytest.skip(reason)
    macros = {**image.op_defines([name]), "BP_KINDS": kinds}
    defines = [f"-D{macro}={value}" for macro, value in macros.items()]
    sources = [str(s) for s in library_sources() if s.parent.name in {"model", "ops", "infer"}]
    compile_c(["gcc", *STRICT, "-Os", *INCLUDES, *defines, "-c", *sources], cwd=tmp_path)
