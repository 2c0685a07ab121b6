"""Boards in processes of their own learn one network together; only weights leave them.

    python examples/fleet/fleet.py [--board mps2-an386] [--clients 3] [--rounds 4]

Each client is a process with a board of its own (its emulator, if none is plugged in) and with
samples of its own. In each round the boards train from the same weights, and the server takes the
mean in integers. Then the same is computed without boards and processes: every weight must be
equal, whatever the order was in which the clients answered.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import Any

import numpy as np
import numpy.typing as npt

import byteprop
from byteprop.federated import arrays_of, average, set_arrays, train_client
from byteprop_host.deployment import connect
from byteprop_host.firmware.build import build
from byteprop_host.link import Device
from byteprop_host.target import BoardTarget
from byteprop_host.training.compare import Trained, first_difference
from byteprop_host.training.lockstep import LockstepTrainer

Arrays = list[npt.NDArray[Any]]
INPUTS, CLASSES, SAMPLES = 16, 4, 40
OPTIONS = {"epochs": 2, "learning_rate": 0.05, "schedule": "constant"}


def network() -> byteprop.Sequential:
    """The same for the server and all clients. Scales are declared: they must be the same, too."""
    layers = [byteprop.Dense(8, "relu"), byteprop.Dense(CLASSES, "softmax")]
    return byteprop.Sequential(layers, input_shape=INPUTS, input_range=(0, 1), seed=4)


def samples(client: int, n: int = SAMPLES) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """What a client has seen: patterns of each class, with noise of its own."""
    draw = np.random.default_rng(100 + client)
    y = draw.integers(0, CLASSES, n)
    pattern = np.arange(INPUTS) % CLASSES == y[:, None]
    return draw.uniform(0, 0.6, (n, INPUTS)) + 0.4 * pattern, y


def learn(
    index: int, arrays: Arrays, turn: int, device: Device | None = None
) -> tuple[Arrays, int]:
    """A client's part of a round, on its board or without one. The board's bits are the host's."""
    model = network()
    set_arrays(model, arrays)
    made: list[LockstepTrainer] = []

    def on_board(host: Any) -> Any:
        if device is None:
            return host
        made.append(LockstepTrainer(device, host))
        return made[0]

    n = train_client(model, *samples(index), seed=turn, make_trainer=on_board, **OPTIONS)
    for trainer in made:
        host = Trained(trainer.image, trainer.state, trainer.counters)
        difference = first_difference(trainer.end(), host, trainer.config)
        if difference:
            raise SystemExit(f"client {index}: {difference}")
    return arrays_of(model), n


@contextmanager
def board(name: str) -> Iterator[Device]:
    """A board of this process, running firmware that trains."""
    target = BoardTarget.of(name, emulated=name != "host")
    with connect(target, build(target.board, train=True)) as deployment:
        yield deployment.device


def client(name: str, index: int, line: Connection) -> None:
    """The process of a client: a round for each set of weights that comes, until None comes."""
    with board(name) as device:
        while (task := line.recv()) is not None:
            line.send(learn(index, *task, device))


def run_rounds(name: str, clients: int, rounds: int) -> Arrays:
    """The server: the mean of what the processes send back, in the order in which they do."""
    context = multiprocessing.get_context("spawn")
    lines: list[Connection] = []
    processes = []
    for index in range(clients):
        mine, theirs = context.Pipe()
        process = context.Process(target=client, args=(name, index, theirs), daemon=True)
        process.start()
        theirs.close()
        lines.append(mine)
        processes.append(process)
    arrays = arrays_of(network())
    for turn in range(rounds):
        for line in lines:
            line.send((arrays, turn))
        arrays = average(answers(lines))
        print(f"round {turn + 1}: accuracy {accuracy(arrays):.3f}", flush=True)
    for line, process in zip(lines, processes, strict=True):
        line.send(None)
        process.join()
    return arrays


def answers(lines: list[Connection]) -> Iterator[tuple[Arrays, int]]:
    """As they come. EOFError when a client has ended; it has said why."""
    waiting = list(lines)
    while waiting:
        for line in wait(waiting):
            assert isinstance(line, Connection)
            waiting.remove(line)
            yield line.recv()


def alone(clients: int, rounds: int) -> Arrays:
    """The same, without boards and processes."""
    arrays = arrays_of(network())
    for turn in range(rounds):
        arrays = average(map(partial(learn, arrays=arrays, turn=turn), range(clients)))
    return arrays


def accuracy(arrays: Arrays) -> float:
    """Of the mean, for samples that no client has."""
    model = network()
    set_arrays(model, arrays)
    x, y = samples(-1, 400)
    return float(np.mean(model.predict(x).argmax(axis=1) == y))


def same(one: Arrays, other: Arrays) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--board", default="mps2-an386")
    parser.add_argument("--clients", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=4)
    args = parser.parse_args()
    found = run_rounds(args.board, args.clients, args.rounds)
    if not same(found, alone(args.clients, args.rounds)):
        print("DIFFERENT: the mean is not that of the same clients without boards")
        return 1
    print(f"identical: the mean of {args.clients} boards, in {args.rounds} rounds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
