"""Steps of a model with state are made exactly once, also over a bad line and when the board is
reset, which loses its state."""

from __future__ import annotations

import numpy as np
import pytest
from streaming_network import STATE_BYTES, steps, streaming_graph

from byteprop import Model, image, reference
from byteprop.engine._raw import const
from byteprop.errors import ArgumentError
from byteprop_host.boards.board import load_board
from byteprop_host.firmware.build import build
from byteprop_host.flash import start
from byteprop_host.link import Device
from faulty_line import FaultyLine

N = 120
GRAPH = streaming_graph()
IMAGE = image.encode(GRAPH, names=False)
EXPECTED = [row.tobytes() for row in Model(GRAPH).run(steps(N), steps=True)]
INPUTS = [row.tobytes() for row in steps(N)]


def outputs(device: Device, first: int, last: int) -> list[bytes | None]:
    return [answer.output for answer in device.infer_stream(INPUTS[first:last])]


def test_a_stream_over_a_bad_line_with_resets() -> None:
    board = load_board("host")
    with start(board, build(board, None)) as running:
        line = FaultyLine(
            running.port, rate=1 / 1500, seed=5, reset=running.reset, reset_at=(2500, 5200, 8000)
        )
        with line, Device.open(line.port) as device:
            device.load_image(IMAGE)
            assert outputs(device, 0, N) == EXPECTED
            assert device.sessions_lost >= line.resets >= 2


def test_a_board_that_is_reset_goes_on() -> None:
    board = load_board("host")
    with start(board, build(board, None)) as running, Device.open(running.port) as device:
        device.load_image(IMAGE)
        assert [device.infer(x).output for x in INPUTS[:10]] == EXPECTED[:10]
        running.reset()
        assert outputs(device, 10, 20) == EXPECTED[10:20]
        # What the last step left can be read after a reset, and another step goes on from there.
        y = GRAPH.outputs[0]
        before = device.read_tensor(y, 3)
        running.reset()
        assert device.read_tensor(y, 3) == before == EXPECTED[19]
        assert outputs(device, 20, 30) == EXPECTED[20:30]


def test_layers_and_profiles_make_no_step() -> None:
    board = load_board("host")
    with start(board, build(board, None)) as running, Device.open(running.port) as device:
        device.load_image(IMAGE)
        for i in range(8):
            assert device.infer(INPUTS[i]).output == EXPECTED[i]
            states = reference.run_states(GRAPH, [steps(N)[: i + 1]], reference.first_states(GRAPH))
            layers = reference.run_layers(GRAPH, [steps(N)[i + 1 : i + 2]], states=states)
            for k, op in enumerate(GRAPH.ops[:4]):
                device.infer_upto(INPUTS[i + 1], k + 1)
                n = GRAPH.tensors[op.output].elems
                assert device.read_tensor(op.output, n) == layers[k].tobytes()
            device.profile(INPUTS[i])
            if i == 5:
                running.reset()


def test_reset_and_write() -> None:
    board = load_board("host")
    with start(board, build(board, None)) as running, Device.open(running.port) as device:
        device.load_image(IMAGE)
        assert outputs(device, 0, 9) == EXPECTED[:9]
        device.reset_state()
        assert outputs(device, 0, 9) == EXPECTED[:9]
        states = reference.run_states(GRAPH, [steps(N)[:50]], reference.first_states(GRAPH))
        whole = b"".join(s.tobytes() for s in states.values())
        device.write_state(whole)
        assert device.read_state() == whole
        running.reset()
        assert device.read_state() == whole
        assert outputs(device, 50, 60) == EXPECTED[50:60]
        device.load_image(IMAGE)  # begins again
        assert outputs(device, 0, 3) == EXPECTED[:3]
        with pytest.raises(ArgumentError, match=f"expected {STATE_BYTES} bytes"):
            device.write_state(b"")
        assert const("BP_MSG_RESET_STATE") == 0x25


def test_a_model_without_state_has_none_to_write() -> None:
    from streaming_network import without_state

    board = load_board("host")
    with start(board, build(board, None)) as running, Device.open(running.port) as device:
        device.load_image(image.encode(without_state(GRAPH), names=False))
        device.reset_state()
        with pytest.raises(ArgumentError, match="expected a model with state"):
            device.write_state(b"x" * STATE_BYTES)
        with pytest.raises(ArgumentError, match="expected a model with state"):
            device.read_state()
        assert np.frombuffer(device.infer(INPUTS[0]).output, np.int8).shape == (3,)
