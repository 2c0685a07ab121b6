"""The reference gives for the project's models what TensorFlow Lite's reference kernels give."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import builtin_ref
from byteprop import reference
from byteprop.graph import Graph
from byteprop.importer import load_tflite

ROOT = Path(__file__).resolve().parents[2]
OWN = ROOT / "tests" / "data" / "models"
PUBLIC = Path(os.environ.get("BYTEPROP_PUBLIC_MODELS", ROOT.parent / "shared/models/public"))
OWN_MODELS = (
    "digits_mlp",
    "fashion_mlp_floatio",
    "fashion_mlp_perchannel",
    "fashion_mlp_pertensor",
    "moves",
    "op_batchnorm_unfused",
    "op_leaky_relu",
    "op_logistic",
    "op_tanh",
    "regression_1x1",
)
PUBLIC_MODELS = ("ad01_int8", "hello_world_int8")
OPS = np.load(OWN / "ops.vectors.npz")
OP_CASES = sorted({key.partition("/")[0] for key in OPS.files})


def run_file(graph: Graph, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """One input and one output, in the file's data types."""
    source, target = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    if source.float_border:
        x = reference.quantize(x, source.scale, source.zero_point, source.dtype)
    y = reference.run(graph, [x])[0]
    if target.float_border:
        y = reference.dequantize(y, target.scale, target.zero_point)
    return y


def check_vectors(folder: Path, name: str) -> None:
    graph = load_tflite((folder / f"{name}.tflite").read_bytes())
    vectors = np.load(folder / f"{name}.vectors.npz")
    y = run_file(graph, vectors["x"])
    assert y.dtype == vectors["y"].dtype
    np.testing.assert_array_equal(y, vectors["y"])


@pytest.mark.parametrize("name", OWN_MODELS)
def test_own_models_give_their_vectors(name: str) -> None:
    check_vectors(OWN, name)


@pytest.mark.parametrize("name", PUBLIC_MODELS)
def test_public_models_give_their_vectors(name: str) -> None:
    if not (PUBLIC / f"{name}.tflite").exists():
        pytest.skip(f"{name}.tflite is not in {PUBLIC}; BYTEPROP_PUBLIC_MODELS names the folder")
    check_vectors(PUBLIC, name)


@pytest.mark.parametrize("case", OP_CASES)
def test_ops_give_their_vectors(case: str) -> None:
    """These need no runtime; make_op_vectors.py wrote them."""
    graph = load_tflite(OPS[f"{case}/model"].tobytes())
    y, wanted = reference.run(graph, [OPS[f"{case}/x"]])[0], OPS[f"{case}/y"]
    assert y.dtype == wanted.dtype
    np.testing.assert_array_equal(y, wanted)


@pytest.mark.parametrize("case", OP_CASES)
def test_stored_op_vectors_are_what_the_runtime_answers(case: str) -> None:
    wanted = builtin_ref.run(OPS[f"{case}/model"].tobytes(), [OPS[f"{case}/x"]])[0]
    np.testing.assert_array_equal(OPS[f"{case}/y"], wanted)


@pytest.mark.parametrize("name", OWN_MODELS)
def test_own_models_agree_with_the_runtime_on_random_inputs(name: str) -> None:
    data = (OWN / f"{name}.tflite").read_bytes()
    graph = load_tflite(data)
    source = graph.tensors[graph.inputs[0]]
    rng = np.random.default_rng(31)
    shape = (100, *source.shape[1:])
    x: np.ndarray[Any, Any] = rng.integers(-128, 128, shape).astype(np.int8)
    if source.float_border:
        # Beyond the range on both sides, and halves between steps.
        x = ((x.astype(np.float32) * 1.1 - source.zero_point + 0.5) * source.scale).astype("f4")
    np.testing.assert_array_equal(run_file(graph, x), builtin_ref.run(data, [x])[0])


def test_run_layers_gives_every_op_and_ends_with_the_output() -> None:
    graph = load_tflite((OWN / "fashion_mlp_perchannel.tflite").read_bytes())
    x = np.load(OWN / "fashion_mlp_perchannel.vectors.npz")["x"][:7]
    layers = reference.run_layers(graph, [x])
    assert [layer.shape for layer in layers] == [(7, 784), (7, 20), (7, 10), (7, 10)]
    np.testing.assert_array_equal(layers[0], x.reshape(7, 784))
    np.testing.assert_array_equal(layers[-1], reference.run(graph, [x])[0])
