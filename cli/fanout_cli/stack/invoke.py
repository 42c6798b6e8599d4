"""Invoke a handler in this process, against the running engine, so that a debugger can stop in it.

    python -m fanout_cli.stack.invoke events/team_events/lambda/team_a-ordinary.json

The code is that of the checkout; environment, tables and queues are those of the deployed function.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3

from fanout.testing import LambdaContext

ROOT = Path(__file__).resolve().parents[3]


def deployed(subscriber: str) -> dict[str, Any]:
    """Return the configuration of the subscriber's function on the engine. Exits if it is not deployed."""
    for page in boto3.client("lambda").get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            if function.get("Environment", {}).get("Variables", {}).get("FANOUT_SUBSCRIBER") == subscriber:
                return dict(function)
    sys.exit(f"The engine has no function for {subscriber}. Deploy it: fanout up")


def main() -> None:
    """Point boto3 at the engine, set the function's environment, and print what its handler returns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("payload", type=Path, help="a file events/<use_case>/lambda/<function>-<sample>.json")
    payload = parser.parse_args().payload.resolve()
    use_case, function = payload.parent.parent.name, payload.stem.partition("-")[0]

    command = [str(Path(sys.executable).with_name("fanout")), "env", "--json"]
    exports = subprocess.run(command, stdout=subprocess.PIPE, cwd=ROOT, check=False)
    if exports.returncode:
        sys.exit(exports.returncode)
    os.environ.update(json.loads(exports.stdout))
    configuration = deployed(f"{use_case}/{function}")
    os.environ.update(configuration["Environment"]["Variables"])

    module, _, name = configuration["Handler"].rpartition(".")
    handler = getattr(importlib.import_module(module), name)
    result = handler(json.loads(payload.read_bytes()), LambdaContext(timeout=900))
    sys.stdout.write(json.dumps(result, indent=2, default=str) + "\n")


if __name__ == "__main__":
    main()
