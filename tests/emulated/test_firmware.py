"""The device program on every emulated board, against TensorFlow Lite's stored answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

import byteprop
from byteprop_host.boards.board import Board, Tick, load_board
from byteprop_host.errors import DoesNotFitError
from byteprop_host.firmware.build import build
from byteprop_host.firmware.capacity import check_memory, memory_needs
from emulation import COMPILED, FLASH, MODELS, Vectors, compilable, opened, require, strict

N = 16
Load = Callable[[str, int], Vectors]


def _skip_unless_it_fits(board: Board, image: bytes, *, bake: bool) -> None:
    checked = memory_needs(board, image, bake=bake)
    if not checked.ok:
        pytest.skip(checked.text)


@pytest.mark.parametrize(
    "name",
    ["regression_1x1", "digits_mlp", "fashion_mlp_pertensor", "fashion_mlp_perchannel"],
)
def test_a_baked_model_gives_the_reference_bytes(board: Board, name: str, vectors: Load) -> None:
    model, inputs, outputs = vectors(name, N)
    _skip_unless_it_fits(board, model.image, bake=True)
    firmware = strict(board, model.image)
    with opened(board, firmware) as (running, device):
        assert device.info.board == board.name
        assert device.info.cpu == board.cpu
        assert device.info.build_id == firmware.build_id
        selected = device.select(FLASH)
        assert selected.arena_bytes == model.arena_bytes
        assert [device.infer(x).output for x in inputs] == outputs
        running.reset()
        assert [a.output for a in device.infer_stream(inputs)] == outputs
        device.profile(inputs[0])
        stats = device.stats()
    # The reserve holds the deepest path with room to spare; the start-up code says how deep it was.
    used = stats.stack_bytes - stats.stack_free
    assert 100 < used <= board.memory.stack_bytes * 17 // 20
    assert stats.rx_overruns == 0


@pytest.mark.parametrize("name", ["digits_mlp", "fashion_mlp_pertensor"])
def test_an_uploaded_model_gives_the_reference_bytes(
    board: Board, name: str, vectors: Load
) -> None:
    model, inputs, outputs = vectors(name, 4)
    if board.arch == "avr":
        pytest.skip(f"{board.name}: the CPU reads model bytes from flash only")
    _skip_unless_it_fits(board, model.image, bake=False)
    with opened(board, strict(board)) as (running, device):
        device.load_image(model.image)
        assert [device.infer(x).output for x in inputs] == outputs
        running.reset()  # the model is lost with it, and loaded again
        assert [device.infer(x).output for x in inputs] == outputs


def test_echo(board: Board) -> None:
    with opened(board, strict(board)) as (_, device):
        for n in (0, 1, 31, device.info.max_payload - 1):
            data = bytes(i * 7 & 0xFF for i in range(n))
            assert device.echo(data) == data
        stats = device.stats()
    assert stats.rx_overruns == 0
    assert stats.stack_bytes >= board.memory.stack_bytes


@pytest.mark.parametrize("name", ["regression_1x1", "digits_mlp"])
def test_counted_ticks_repeat_exactly(board: Board, name: str, vectors: Load) -> None:
    if board.emulator is None or not board.emulator.icount:
        pytest.skip(f"{board.name}: its emulator cannot count instructions")
    assert board.clock.tick is not Tick.NONE
    model, inputs, _ = vectors(name, 1)
    firmware = strict(board, model.image)
    counts = []
    for _ in range(2):
        with opened(board, firmware, icount=True) as (_, device):
            device.select(FLASH)
            counts.append(board.instructions(device.infer(inputs[0]).ticks))
    first, second = counts
    assert first is not None and second is not None
    # A tick is shorter than an instruction, or as long; where the two clocks meet may differ.
    assert abs(first - second) <= 2
    assert first > 2 * model.macs


@pytest.mark.parametrize("name", COMPILED)
def test_base_needs_of_board_toml_cover_what_is_built(name: str) -> None:
    board = compilable(name)
    empty = strict(board)
    assert empty.flash_bytes <= board.memory.firmware_flash_bytes
    assert empty.ram_bytes - empty.sizes["pool"] <= board.memory.firmware_ram_bytes
    image = byteprop.load(MODELS / "digits_mlp.tflite").image
    baked = strict(board, image)
    assert baked.program_flash_bytes <= board.memory.firmware_flash_bytes
    assert baked.ram_bytes - baked.sizes["pool"] <= board.memory.firmware_ram_bytes
    # Nor are they so far above that models are refused without need.
    assert board.memory.firmware_flash_bytes <= baked.program_flash_bytes * 5 // 4
    assert board.memory.firmware_ram_bytes <= (baked.ram_bytes - baked.sizes["pool"]) * 5 // 4
    assert baked.model_bytes <= len(image)
    assert 0 < baked.sizes["line_buffers"] < baked.ram_bytes


def test_what_does_not_fit_is_refused_with_the_numbers(board: Board) -> None:
    image = byteprop.load(MODELS / "digits_mlp.tflite").image
    small = replace(board, memory=replace(board.memory, ram_bytes=600, pool_bytes=0))
    with pytest.raises(DoesNotFitError, match=r"needs \d+ bytes of RAM, board has 600"):
        check_memory(small, image)
    tight = replace(
        board,
        memory=replace(
            board.memory, flash_bytes=4000, firmware_flash_bytes=0, firmware_ram_bytes=0
        ),
    )
    # Nothing is known beforehand here, so the linker's result has to tell.
    with pytest.raises(DoesNotFitError, match=r"needs \d+ bytes of flash, board has 4000"):
        build(tight, image)
    narrow = replace(
        board, memory=replace(board.memory, ram_bytes=512, pool_bytes=0, firmware_ram_bytes=0)
    )
    with pytest.raises(DoesNotFitError, match=r"needs \d+ bytes of RAM, board has 512"):
        build(narrow, byteprop.load(MODELS / "regression_1x1.tflite").image)


def test_the_targets_of_cortex_m4(vectors: Load) -> None:
    """16 KB of flash without the weights, 4 KB of RAM without the line buffers."""
    board = require(load_board("mps2-an386"))
    model, inputs, _ = vectors("fashion_mlp_pertensor", 8)
    firmware = strict(board, model.image)
    assert firmware.program_flash_bytes <= 16 * 1024
    assert firmware.ram_bytes - firmware.sizes["line_buffers"] <= 4 * 1024
    with opened(board, firmware) as (_, device):
        device.select(FLASH)
        for x in inputs:
            device.infer(x)
        stats = device.stats()
    assert stats.stack_bytes - stats.stack_free < board.memory.stack_bytes


@pytest.mark.parametrize("name", ["microbit", "rv32-virt", "arduino-uno"])
def test_the_same_sources_give_the_same_bytes(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """For each compiler."""
    board = load_board(name)
    require(board)
    image = byteprop.load(MODELS / "digits_mlp.tflite").image
    built = []
    for _ in range(2):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        firmware = build(board, image)
        assert firmware.binary is not None
        built.append((firmware.build_id, firmware.binary.read_bytes()))
    assert built[0] == built[1]
    other = build(board, byteprop.load(MODELS / "regression_1x1.tflite").image)
    assert other.build_id != built[0][0]
