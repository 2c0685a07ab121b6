"""Starts Flower's server and a node per board on this computer, and runs the app once.

    python examples/fleet/flower_processes.py [--board mps2-an386] [--clients 2] [--rounds 2]

Needs byteprop with the extras host and fleet.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).resolve().parent
FIRST_PORT = 19091


def start(stack: ExitStack, command: list[str], log: Path, environment: dict[str, str]) -> None:
    """A process until the stack is closed; what it prints goes to a file."""
    file = stack.enter_context(log.open("w"))
    process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
    stack.callback(process.wait, 20)
    stack.callback(process.terminate)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--board", default="mps2-an386")
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--logs", type=Path, metavar="FOLDER")
    args = parser.parse_args()
    programs = Path(sys.executable).parent
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        logs = args.logs or home
        environment = {**os.environ, "FLWR_HOME": str(home), "FLWR_TELEMETRY_ENABLED": "0"}
        environment["PATH"] = f"{programs}{os.pathsep}{environment['PATH']}"
        address = f"127.0.0.1:{FIRST_PORT}"
        link_command = [str(programs / "flower-superlink"), "--insecure", "--port", str(FIRST_PORT)]
        # byteprop is installed already, and need not be in an index of packages.
        link_command.append("--disable-runtime-dependency-installation")
        start(stack, link_command, logs / "superlink.log", environment)
        time.sleep(5)
        for i in range(args.clients):
            node = [str(programs / "flower-supernode"), "--insecure", "--superlink", address]
            node += ["--port", str(FIRST_PORT + 1 + i), "--node-config", f"partition={i}"]
            start(stack, node, logs / f"node-{i}.log", environment)
        (home / "config.toml").write_text(
            f'[superlink]\ndefault = "here"\n\n[superlink.here]\naddress = "{address}"\n'
            "insecure = true\n"
        )
        config = f'board="{args.board}" clients={args.clients} rounds={args.rounds}'
        run = [str(programs / "flwr"), "run", str(HERE), "here", "--stream", "--run-config", config]
        done = subprocess.run(
            run, env=environment, capture_output=True, text=True, timeout=600.0, check=False
        )
    print(done.stdout[-6000:], done.stderr[-4000:])
    return 0 if "identical: the mean of" in done.stdout else 1


if __name__ == "__main__":
    sys.exit(main())
