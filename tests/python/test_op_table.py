"""LOGISTIC, TANH, LEAKY_RELU, HARD_SWISH and ELU against tflite-runtime's reference kernels and the
NumPy reference."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest
import tflite

import builtin_ref
import byteprop
import tflite_builder as tb
from byteprop import image, reference
from byteprop.errors import ModelError, UnsupportedOpError
from byteprop.exporter import write_tflite
from byteprop.ops.table import Function, Table, TableSpec, make_table

EVERY_INT8 = np.arange(-128, 128, dtype=np.int8)[np.newaxis]
# ELU has one kernel, which 2.14 registers with the optimised ones.
RESOLVERS = {"ELU": "BUILTIN_WITHOUT_DEFAULT_DELEGATES"}
VERSIONS = {"LOGISTIC": 2, "TANH": 2, "LEAKY_RELU": 2, "HARD_SWISH": 1, "ELU": 1}


def table_model(
    name: str,
    x: tuple[float, int] = (0.05, 3),
    y: tuple[float, int] = (1 / 128, 0),
    alpha: float = 0.2,
    shape: tuple[int, ...] = (1, 256),
) -> bytes:
    """x, y: scale and zero point."""
    builder = tb.ModelBuilder()
    source = builder.tensor(shape, scale=x[0], zero_point=x[1], name="x")
    target = builder.tensor(shape, scale=y[0], zero_point=y[1], name="y")
    options = tb.options_of("LeakyRelu", Alpha=alpha) if name == "LEAKY_RELU" else None
    code = getattr(tflite.BuiltinOperator, name)
    builder.op(code, [source], [target], version=VERSIONS[name], options=options)
    return builder.build([source], [target])


def random_model(name: str, seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    zeros = [int(z) for z in rng.choice([-128, 127, *rng.integers(-128, 128, 6)], 2)]
    x_scale = 2 ** rng.uniform(-9, 1)
    usual = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}
    if name in usual:
        y = usual[name]
    elif name == "HARD_SWISH":
        y = (x_scale * 2 ** rng.uniform(-6.9, 2), zeros[1])
    else:
        y = (2 ** rng.uniform(-9, 1), zeros[1])
    alpha = float(rng.choice([0.0, 0.01, 0.2, 0.3, 1.0, 1.5]))
    return table_model(name, (x_scale, zeros[0]), y, alpha)


@pytest.mark.parametrize("name", VERSIONS)
@pytest.mark.parametrize("seed", range(60))
def test_every_input(name: str, seed: int) -> None:
    file = random_model(name, seed)
    loaded = byteprop.load(file)
    expected = builtin_ref.run(file, [EVERY_INT8], RESOLVERS.get(name, "BUILTIN_REF"))[0]
    np.testing.assert_array_equal(loaded.run(EVERY_INT8), expected)
    np.testing.assert_array_equal(reference.run(loaded.graph, [EVERY_INT8])[0], expected)
    assert image.decode(image.encode(loaded.graph)) == loaded.graph
    assert byteprop.load(write_tflite(loaded.graph)).graph == loaded.graph


def test_the_scale_at_which_other_tanhs_differ() -> None:
    """In NumPy's float32 tanh, and in double, two values of this table are others."""
    file = table_model("TANH", (0.04733453, 0))
    expected = builtin_ref.run(file, [EVERY_INT8])[0]
    np.testing.assert_array_equal(byteprop.load(file).run(EVERY_INT8), expected)


def test_the_graph_keeps_the_op_of_the_file() -> None:
    graph = byteprop.load(table_model("LEAKY_RELU", alpha=0.3)).graph
    op = graph.ops[0]
    assert isinstance(op, Table)
    assert (op.function, op.alpha) == (Function.LEAKY_RELU, np.float32(0.3))
    model = byteprop.load(image.encode(graph))
    assert "Table" in model.summary()
    assert TableSpec().detail(op) == ("leaky_relu", "alpha 0.3")
    assert image.features(model.image) == {"table"}


def test_the_output_overwrites_the_input() -> None:
    assert byteprop.load(table_model("TANH")).arena_bytes == 256


def test_tables_of_other_c_libraries_are_taken_and_no_others() -> None:
    """An entry next to a tie may be either neighbour; the model keeps the one that it has."""
    half_a_step = float(np.arctanh(0.5 / 128))
    graph = byteprop.load(table_model("TANH", (half_a_step, 0))).graph
    op = graph.ops[0]
    assert isinstance(op, Table)
    made = make_table(op.function, *graph.tensors, op.alpha)
    assert (made.low <= made.values).all() and (made.values <= made.high).all()
    assert {1, 255} <= set(np.flatnonzero(made.low != made.high))
    assert (made.low[1], made.high[1]) == (0, 1)
    values = made.values.copy()
    values[1] = 1 - values[1]
    changed = replace(graph, ops=(replace(op, values=values.tobytes()),))
    assert image.decode(image.encode(changed)) == changed
    values[1] = 2
    with pytest.raises(ModelError, match="not that of TANH"):
        image.encode(replace(changed, ops=(replace(op, values=values.tobytes()),)))


def test_an_image_with_another_table_is_refused() -> None:
    blob = bytearray(byteprop.load(table_model("HARD_SWISH", y=(0.05, 0))).image)
    header = np.frombuffer(blob, image.HEADER, 1)[0]
    blob[int(header["data_offset"]) + 7] ^= 1
    blob[12:16] = zlib.crc32(blob[16:]).to_bytes(4, "little")
    with pytest.raises(ModelError, match="not that of HARD_SWISH"):
        byteprop.load(bytes(blob))


@pytest.mark.parametrize(
    ("name", "x", "y", "alpha", "message"),
    [
        ("LEAKY_RELU", (0.1, 0), (0.1, 0), -0.5, "alpha of at least 0, got -0.5"),
        ("LEAKY_RELU", (0.1, 0), (0.1, 0), float("nan"), "alpha of at least 0, got nan"),
        ("LEAKY_RELU", (2.0**20, 0), (2.0**-20, 0), 0.5, "too large"),
        ("HARD_SWISH", (1.0, 0), (2.0**-7, 0), 0.0, "HARD_SWISH of TensorFlow Lite is undefined"),
        ("HARD_SWISH", (2.0**-24, 0), (2.0**-24, 0), 0.0, "is undefined"),
        ("TANH", (0.1, 0), (1 / 256, 0), 0.0, "expected output scale 0.0078125, zero point 0"),
        ("LOGISTIC", (0.1, 0), (1 / 256, 0), 0.0, "zero point -128 of LOGISTIC, got 0.00390625, 0"),
        ("ELU", (2.0**20, 0), (2.0**-3, 0), 0.0, "too small for ELU"),
    ],
)
def test_scales_beyond_the_limits(
    name: str, x: tuple[float, int], y: tuple[float, int], alpha: float, message: str
) -> None:
    with pytest.raises(UnsupportedOpError, match=f"op 0, {name} .*{message}"):
        byteprop.load(table_model(name, x, y, alpha))
