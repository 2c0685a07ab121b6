"""Writes the measured figures into README.md and two pages of docs, from benchmarks/results.

    python3 scripts/figures_table.py            writes
    python3 scripts/figures_table.py --check    exits with 1 when a page is out of date

The last record of a board and model counts. benchmarks/run.py, host.py, training_accuracy.py and
train_bench/train_bench.py record.
"""

from __future__ import annotations

import statistics
import sys

from board_table import NETWORKS, network
from mlperf_table import PEER
from mlperf_table import last as mlperf_records
from records_page import ROOT, Record, update
from records_page import records as all_records

from byteprop.engine._raw import Engine
from byteprop.engine._raw_train import Config, plan

MODEL = "fashion_mlp_perchannel"
NET = "784-20-10"
# Ways of training, as docs/benchmarks.md calls them; their records are named by the key.
WAYS = {
    "int8 + residual, stochastic, linear decay": "**byteprop, integers**, batch 1, linear decay",
    "the same, constant rate": "byteprop, integers, batch 1, constant rate",
    "float32 SGD, batch 1, linear decay": "float32 SGD, batch 1, linear decay",
    "float32 Adam, batch 32, linear decay": "float32 Adam, batch 32, linear decay",
    "float32 Adam, batch 32, constant rate": "float32 Adam, batch 32, constant rate",
}
TFLITE_M0, TFLITE_M4 = 113_482, 37_872
# Of several boards with one CPU, that whose figures are recorded.
CPUS = {"Cortex-M0": "microbit", "Cortex-M3": "mps2-an385", "Cortex-M4": "mps2-an386"}


def records(name: str) -> list[Record]:
    return [row for row in all_records(name) if row["model"] == MODEL]


def boards_table() -> str:
    """The same 784-20-10 network; the figures of others are ours too, see the text below them."""
    ours = {cpu: records(board)[-1] for cpu, board in CPUS.items()}
    m4 = ours["Cortex-M4"]
    counts = " | ".join(f"{int(row['per_inference']):,}" for row in ours.values())
    flash = f"{int(m4['program_flash_bytes']):,}, link and model reader included"
    return (
        "| | Cortex-M0 | Cortex-M3 | Cortex-M4 | flash without the model (M4) | activations |\n"
        "|---|---|---|---|---|---|\n"
        f"| byteprop | {counts} | {flash} | {int(m4['arena_bytes']):,} bytes |\n"
        f"| TFLite Micro with CMSIS-NN | {TFLITE_M0:,} | 64,856 | {TFLITE_M4:,} | 39,260 "
        "| 1,764 bytes |\n"
        "| emlearn, float | | | 97,588 | | |\n"
        f"\n{_arduino_text()}\n"
    )


def _arduino_text() -> str:
    digits = [row for row in all_records("arduino-uno") if row["model"] == "digits_mlp"]
    cycles = int(digits[-1]["per_inference"])
    return (
        f"On the Arduino Uno the digits network (64-32-10) takes {cycles:,} cycles, "
        f"{cycles / 16_000:.1f} ms at 16 MHz,\ncounted by simavr, which uses the data sheet's "
        "cycle counts."
    )


def host_table() -> str:
    last = {row["contestant"]: row for row in records("host-inference")}
    lines = ["| on the PC, one thread | one call | images per second, 10,000 at once |"]
    lines.append("|---|---|---|")
    for name, row in last.items():
        rate = round(int(row["batch_samples_per_second"]), -3)
        lines.append(f"| {name} | {float(row['call_us']):.1f} µs | {rate:,} |")
    return "\n".join(lines) + f"\n\n{_host_reals_text()}\n\n{_host_training_text()}\n"


def _host_reals_text() -> str:
    rows = {row["values"]: row for row in records("host-reals")}
    single, double = rows["float32"], rows["float64"]
    times = float(single["predict_ms"]) / float(single["run_ms"])
    rates = [round(int(row["encode_million_per_second"]), -2) for row in (single, double)]
    return (
        "`Model.predict`, with real numbers in and out, takes "
        f"{float(single['predict_call_us']):.1f} µs for one image and {times:.1f} times as long\n"
        f"as `run` for 10,000; {rates[0]:,} million float32 values per second become integers, "
        f"{rates[1]:,} million\nfloat64."
    )


def _host_training_text() -> str:
    speed = {
        row["contestant"]: f"{round(int(row['samples_per_second']), -3):,}"
        for row in all_records("host-training")
    }
    others = [f"{name} {number}" for name, number in speed.items() if name != "byteprop"]
    return (
        f"byteprop trains on {speed['byteprop']} images per second at batch 1. At batch 32,\n"
        f"measured in the same way: {', '.join(others[:-1])} and {others[-1]}."
    )


def training_table() -> str:
    """Instructions per sample; the figures of others are ours too, see the text below them."""
    found = {
        (row["inputs"], row["cpu"]): f"{int(row['sample']):,}"
        for row in all_records("training-instructions")
        if row["net"] == NET
    }

    def counts(inputs: str) -> str:
        return " | ".join(found[inputs, cpu.lower()] for cpu in CPUS)

    image = network(NETWORKS[NET])
    memory = len(image) + Engine(image).arena_bytes + plan(image, Config(seed=0)).memory_bytes
    return (
        "| one sample, batch 1 | Cortex-M0 | Cortex-M3 | Cortex-M4 | RAM, weights included |\n"
        "|---|---|---|---|---|\n"
        f"| byteprop, images of Fashion-MNIST | {counts('images')} | {memory:,} bytes |\n"
        f"| byteprop, no input, error or hidden output is 0 | {counts('dense')} | the same |\n"
        "| PULP-TrainLib, float32 | 6,545,679 | 2,724,528 | 291,779 | 130,864 bytes |\n"
        "| AIfES, float32 | 11,530,703 | 5,348,478 | 1,839,442 | 193,456 bytes |\n"
        f"\n{_firmware_text()}\n"
    )


def _firmware_text() -> str:
    added = {
        row["board"]: f"{int(row['flash_added_bytes']):,}" for row in all_records("training-boards")
    }
    return (
        f"Training adds {added['mps2-an386']} bytes of flash to the firmware for the Cortex-M4, "
        f"{added['microbit']} to the micro:bit's."
    )


def accuracies() -> dict[str, list[float]]:
    """Of the last epoch, the last record of each seed; only ways that have several seeds."""
    found: dict[str, dict[str, float]] = {way: {} for way in WAYS}
    for row in all_records("training-accuracy"):
        found.get(row["way"], {})[row["seed"]] = float(row["test_accuracy"])
    return {way: list(runs.values()) for way, runs in found.items() if len(runs) > 1}


def learning_table() -> str:
    lines = ["| | accuracy, mean (sd) | seeds |", "|---|---|---|"]
    for way, values in accuracies().items():
        spread = f"{statistics.mean(values):.4f} ({statistics.stdev(values):.4f})"
        lines.append(f"| {WAYS[way]} | {spread} | {len(values)} |")
    return "\n".join(lines) + "\n"


# What the models of MLPerf Tiny do, in words.
TASKS = {
    "kws01": "keyword spotting",
    "ic01": "ten kinds of pictures",
    "vww01": "a person in the picture",
}


def comparison_table() -> str:
    """Returns millions of instructions per inference on a Cortex-M4, ours and the common peer's."""
    ours = mlperf_records()
    lines = [
        "| Cortex-M4, millions of instructions | byteprop | TFLite Micro with CMSIS-NN |",
        "|---|---|---|",
    ]
    dense = int(records("mps2-an386")[-1]["per_inference"]) / 1e6
    lines.append(f"| Fashion-MNIST, two dense layers | {dense:.3f} | {TFLITE_M4 / 1e6:.3f} |")
    for model, task in TASKS.items():
        count = int(ours["mps2-an386", model]["instructions"]) / 1e6
        name = f"{task} (MLPerf Tiny's `{model}`)"
        lines.append(f"| {name} | {count:.2f} | {PEER['mps2-an386', model]:.2f} |")
    return "\n".join(lines) + "\n"


def numbers_table() -> str:
    """Returns what README.md says in numbers: inference as above, and training."""
    sample = next(
        int(row["sample"])
        for row in reversed(all_records("training-instructions"))
        if (row["net"], row["inputs"], row["cpu"]) == (NET, "images", "cortex-m4")
    )
    memory = plan(network(NETWORKS[NET]), Config(seed=0)).memory_bytes
    means = {way: f"{statistics.mean(values):.3f}" for way, values in accuracies().items()}
    own, sgd = (
        means[way]
        for way in (
            "int8 + residual, stochastic, linear decay",
            "float32 SGD, batch 1, linear decay",
        )
    )
    return (
        f"{comparison_table()}\n"
        f"Training of the same two dense layers takes {round(sample, -2):,} instructions per "
        f"image, and {memory:,} bytes of RAM\non top of the model. From "
        f"random weights it reaches an accuracy of {own}; float32 SGD reaches {sgd}.\n"
    )


PAGES = {
    "README.md": {"numbers": numbers_table},
    "docs/benchmarks.md": {
        "boards-figures": boards_table,
        "host-figures": host_table,
        "training-figures": training_table,
        "learning-figures": learning_table,
    },
    "docs/comparison.md": {"comparison-figures": comparison_table},
}


def main() -> int:
    summary = __doc__.splitlines()[0] if __doc__ else ""
    codes = [
        update(ROOT / page, tables, script="figures_table.py", summary=summary)
        for page, tables in PAGES.items()
    ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
