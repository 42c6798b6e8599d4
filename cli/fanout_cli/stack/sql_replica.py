"""The SQL replica of database_changes: where it is, and the embedded PostgreSQL that plays its part locally."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fanout_cli.errors import UserError
from fanout_cli.output import step
from fanout_cli.stack.topology import Topology
from local_engine.postgres import server

SUBSCRIBER = "database_changes/replicate_to_sql"


def provide(state: Path, client: Callable[[str], Any], topology: Topology) -> None:
    """Start the embedded PostgreSQL if the use case is deployed, and put its DSN into the use case's secret.

    It runs until `fanout down`. Raises EngineError if it does not start.
    """
    if SUBSCRIBER not in topology.subscribers:
        return
    with step("Starting PostgreSQL"):
        found = server.start(state)
    client("secretsmanager").put_secret_value(SecretId=_secret(topology), SecretString=json.dumps({"dsn": found}))


def dsn(client: Callable[[str], Any], topology: Topology) -> str:
    """Return the DSN as the secret has it. Raises UserError if there is none."""
    secret = client("secretsmanager").get_secret_value(SecretId=_secret(topology))["SecretString"]
    try:
        found = json.loads(secret).get("dsn")
    except (ValueError, AttributeError):
        found = None
    if not found:
        raise UserError(
            f"the secret {_secret(topology)} has no dsn, so the location of the SQL replica is unknown",
            'Put {"dsn": "postgresql://..."} into it; locally `fanout up` does.',
        )
    return str(found)


def _secret(topology: Topology) -> str:
    return topology.subscribers[SUBSCRIBER].environment["SQL_SECRET_ARN"]
