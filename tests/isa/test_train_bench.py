"""Instructions of a training sample; they repeat exactly, and the weights equal the host's."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS / "train_bench"))
import train_bench  # noqa: E402

# One sample of 784-20-10 of which nothing can be skipped.
MOST = {"cortex-m4": 286_000, "cortex-m3": 600_000, "cortex-m0": 600_000}


@pytest.mark.emulated
@pytest.mark.parametrize("cpu", MOST)
def test_a_dense_sample_stays_below_the_bar(cpu: str) -> None:
    machine = train_bench.MACHINES[cpu]
    missing = machine.missing_tools()
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    figure = train_bench.measure(machine, train_bench.dense_start((784, 20, 10)), ["-O2"])
    # Below 5 instructions a weight something was not computed or not counted.
    assert 5 * 15_880 < figure.sample <= MOST[cpu]
    assert figure.forward < figure.sample / 4


# One sample of the network that AIfES publishes, all of whose layers learn, and all of its RAM.
MOST_OF_IMAGES, MOST_RAM = 300_000, 16_384


@pytest.mark.emulated
def test_a_sample_of_a_convolutional_network_stays_below_the_bar() -> None:
    machine = train_bench.MACHINES["cortex-m4"]
    missing = machine.missing_tools()
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    figure = train_bench.measure(machine, train_bench.small_start(), ["-O2"])
    assert 60_000 < figure.forward < figure.sample <= MOST_OF_IMAGES
    assert figure.ram_bytes <= MOST_RAM


@pytest.mark.emulated
def test_a_sample_of_a_network_for_keywords_stays_below_the_bar() -> None:
    """Its last depthwise and pointwise convolutions and its classes learn."""
    machine = train_bench.MACHINES["cortex-m4"]
    missing = machine.missing_tools()
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    start = train_bench.keyword_start()
    start = replace(start, x=start.x[:2], labels=start.labels[:2])
    figure = train_bench.measure(machine, start, ["-O2"])
    # Forward takes 2.6 million products, at best two in an instruction.
    assert 1_300_000 < figure.forward < figure.sample <= 6_000_000
    assert figure.ram_bytes <= 65_536
