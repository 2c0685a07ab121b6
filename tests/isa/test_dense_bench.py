"""The instruction counts that the tuned primitives were written for; they repeat exactly."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks" / "dense_bench"))
import bare
import dense_bench

# Instructions for a multiply-accumulate, whole layer with requantisation.
MOST_PER_MAC = {"cortex-m4": 1.6, "cortex-m3": 2.8, "cortex-m0": 5.8}


@pytest.mark.emulated
@pytest.mark.parametrize("machine", bare.CORTEX_M, ids=lambda machine: machine.name)
def test_dense_layers_stay_below_the_bar(machine: bare.Machine) -> None:
    missing = machine.missing_tools()
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    figures = {(f.kernel, f.shape): f for f in dense_bench.measure(machine, ["-O2"])}
    for shape in ("784x20", "640x128"):
        figure = figures["dense", shape]
        per_mac = figure.instructions / figure.macs
        # Below one instruction for two products, something was not computed or not counted.
        assert 0.5 < per_mac <= MOST_PER_MAC[machine.cpu], figure


def test_figures_are_recorded_with_their_source(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine = bare.CORTEX_M[0]
    if machine.missing_tools():
        pytest.skip(f"not installed: {', '.join(machine.missing_tools())}")
    monkeypatch.setattr(dense_bench.records, "RESULTS", tmp_path)
    dense_bench.record(machine, [dense_bench.Figure("dense", "784x20", 31_360)], ["-O2"])
    path = dense_bench.record(machine, [dense_bench.Figure("softmax", "10", 900)], ["-O2"])
    header, dense, softmax = path.read_text(encoding="utf-8").splitlines()
    assert header == "board,kernel,shape,instructions,per_mac,commit,compiler,flags"
    assert dense.startswith("mps2-an386,dense,784x20,31360,2.00,")
    assert dense.endswith(f",{machine.compiler_version()},-O2")
    assert softmax.startswith("mps2-an386,softmax,10,900,,")
