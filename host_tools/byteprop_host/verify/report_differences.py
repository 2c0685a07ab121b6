"""Pictures of the inputs, and of the samples whose outputs differ from the reference's."""

from __future__ import annotations

from html import escape

import numpy as np

from byteprop_host.data.classes import class_name
from byteprop_host.report import page
from byteprop_host.report.images import Pixels, pictures_of
from byteprop_host.verify.verdict import Verdict

MAX_DIFFERENT = 48


def input_pictures(v: Verdict) -> Pixels | None:
    """The inputs, if they are pictures that get a class."""
    if len(v.graph.inputs) != 1 or v.outputs[0].shape[1] == 1:
        return None
    return pictures_of(v.samples.device[0], v.graph.tensors[v.graph.inputs[0]].shape)


def different_pictures(v: Verdict) -> str:
    """A picture of every sample that differs, up to a limit, with both answers and the largest
    difference."""
    images = input_pictures(v)
    if images is None or v.comparison.identical or not v.expected_outputs:
        return ""
    ours, theirs = v.outputs[0].astype(np.int64), v.expected_outputs[0].astype(np.int64)
    differ = np.abs(ours - theirs).max(axis=1)
    wrong = np.flatnonzero(differ)
    figures = [_figure(v, images, int(i), int(differ[i])) for i in wrong[:MAX_DIFFERENT]]
    more = "" if len(wrong) <= MAX_DIFFERENT else f" The first {MAX_DIFFERENT} are shown."
    return page.card(
        "Samples that differ",
        f"<p>{len(wrong):,} samples, with the board's class, the reference's where it is another, "
        f"and the largest difference of an output in steps.{more}</p>",
        page.pictures(figures),
        is_bad=True,
    )


def _figure(v: Verdict, images: Pixels, i: int, steps: int) -> str:
    board = int(v.outputs[0][i].argmax())
    reference = int(v.expected_outputs[0][i].argmax())
    name = escape(class_name(v.classes, board))
    other = "" if board == reference else f", not {escape(class_name(v.classes, reference))}"
    caption = f"#{i}: <b>{name}</b>{other}<br><small>by {steps}</small>"
    return page.figure(images[i], f"different sample {i}", caption, kind="missed")
