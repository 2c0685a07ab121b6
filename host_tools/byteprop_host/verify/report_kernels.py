"""The part of the report on other runtimes' default kernels."""

from __future__ import annotations

from byteprop_host.report import page
from byteprop_host.verify.verdict import Verdict


def other_kernels(v: Verdict) -> str:
    """The board next to the default kernels of the runtimes that are installed."""
    if not v.others:
        return ""
    rows = []
    for o in v.others:
        same = "" if o.same_class is None else f"{o.same_class:,} of {o.samples:,}"
        rows.append([o.package, f"{o.bytes_equal:,} of {o.bytes_total:,}", f"{o.most}", same])
    return page.card(
        "Default kernels of other runtimes",
        "<p>They are no reference. Where a layer turns its 32-bit sum into 8 bits, the reference "
        "kernels round twice, XNNPACK rounds once, and some kernels of LiteRT compute in float32. "
        "A sum close to a half becomes one more or one less. "
        "More: byteprop help faq, “Why does LiteRT differ by one?”</p>",
        page.table(["runtime", "output bytes equal", "steps at most", "same class"], rows),
    )
