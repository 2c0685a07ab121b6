"""The same as a Flower app: Flower's server, and a process of Flower for each board.

`python examples/fleet/flower_processes.py` starts all of them; docs/federated.md has the commands
for boards at different places. Every node has a number, its `partition`, which chooses its samples.
"""

from __future__ import annotations

import atexit
from contextlib import ExitStack
from typing import Any

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from byteprop.federated import MakeTrainer, average
from byteprop.flower import IntegerAveraging, client_app, record_of
from byteprop_host.training.lockstep import LockstepTrainer
from fleet import OPTIONS, board, learn, network, same, samples

boards = ExitStack()
atexit.register(boards.close)


def on_board(context: Context) -> MakeTrainer:
    def make(host: Any) -> LockstepTrainer:
        return LockstepTrainer(boards.enter_context(board(context.run_config["board"])), host)

    return make


app = client_app(
    lambda context: (network(), *samples(context.node_config["partition"])),
    make_trainer=on_board,
    **OPTIONS,
)
server = ServerApp()


@server.main()  # type: ignore[untyped-decorator]
def main(grid: Grid, context: Context) -> None:
    clients, rounds = context.run_config["clients"], context.run_config["rounds"]
    strategy = IntegerAveraging(
        fraction_train=1.0,
        fraction_evaluate=0.0,
        min_train_nodes=clients,
        min_available_nodes=clients,
    )
    start = record_of(network())
    found = strategy.start(grid, start, num_rounds=rounds).arrays.to_numpy_ndarrays()
    wanted = start.to_numpy_ndarrays()
    for turn in range(1, rounds + 1):
        wanted = average(learn(i, wanted, turn) for i in range(clients))
    text = "identical" if same(found, wanted) else "DIFFERENT"
    print(f"{text}: the mean of {clients} boards, in {rounds} rounds", flush=True)
