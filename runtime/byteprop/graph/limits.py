"""What a graph may be at most, whatever its ops."""

from __future__ import annotations

from byteprop.engine import _raw

MAX_RANK = _raw.const("BP_MODEL_MAX_RANK")
MAX_ELEMS = _raw.const("BP_MODEL_MAX_ARENA_BYTES")  # of one tensor
MAX_WEIGHTS = 2**28  # of all ops together
