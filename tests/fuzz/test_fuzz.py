"""libFuzzer on the model reader with inference, training, the link codec and the device program."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fuzz import REGRESSIONS, TARGETS, build, fuzz, missing, replay

SECONDS = int(os.environ.get("BYTEPROP_FUZZ_SECONDS", "20"))

why_not = missing()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(why_not is not None, reason=why_not or ""),
    pytest.mark.timeout(SECONDS + 240),
]


@pytest.mark.parametrize("name", TARGETS)
def test_fuzz(name: str, tmp_path: Path) -> None:
    target = TARGETS[name]
    program = build(target, tmp_path)
    assert replay(target, program) == len(list((REGRESSIONS / name).glob("*")))
    done = fuzz(target, program, tmp_path, SECONDS, tmp_path / "corpus")
    # The seeds alone are more than one input; a target that stops at once would pass otherwise.
    assert done.executions > 100
    # Without seeds that get through, model, train and app cover below 2 % of all edges, with them
    # about 20 %. Most edges belong to the sanitizers' checks, which never fail, and to kernels for
    # CPUs that this one is not.
    assert done.edges[0] > done.edges[1] // 8
