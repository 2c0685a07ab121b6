"""Instructions of a convolutional network; they repeat exactly, and outputs equal the host's."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks" / "model_bench"))
import model_bench  # noqa: E402

MLP = ROOT / "tests/data/models/fashion_mlp_perchannel.tflite"
CNN = ROOT / "tests/data/models/conv/net_fashion_cnn.tflite"
# Instructions for a multiply-accumulate, whole network; in plain C 8.8 and 7.1.
MOST_PER_MAC = {"cortex-m0": 4.3, "rv32imac": 4.2}


@pytest.mark.emulated
@pytest.mark.parametrize("cpu", MOST_PER_MAC)
def test_a_convolutional_network_stays_below_the_bar(cpu: str) -> None:
    machine = model_bench.MACHINES[cpu]
    missing = machine.missing_tools()
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    figure = model_bench.measure(machine, CNN, ["-O2"])
    # Below one instruction for two products, something was not computed or not counted.
    assert 0.5 < figure.instructions / figure.macs <= MOST_PER_MAC[cpu], figure
    assert sum(count for _, count in figure.ops) == figure.instructions


@pytest.mark.emulated
def test_dense_layers_of_halfwords_stay_below_the_bar() -> None:
    machine = model_bench.MACHINES["cortex-m4"]
    missing = machine.missing_tools()
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    figure = model_bench.measure(machine, MLP, ["-O2"])
    # 15,880 products; with plain rows it takes 26,000.
    assert 15_880 / 2 < figure.instructions <= 18_500, figure
