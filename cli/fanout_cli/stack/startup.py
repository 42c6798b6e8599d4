"""Start the engine, deploy the application into it, and warm its functions."""

from collections.abc import Sequence

from fanout_cli.errors import UserError
from fanout_cli.output import note, step
from fanout_cli.stack import environment, sql_replica
from fanout_cli.stack.deploy import Deployment, changed, chosen, delete_failed_creation, engine_runtime, sam, warm
from fanout_cli.stack.state import ENGINE_ENVIRONMENT, checkout, state_folder
from fanout_cli.stack.target import STACK_NAME, Target, enter, resolve
from fanout_cli.stack.topology import Topology
from local_engine import process
from local_engine.postgres import server


def start(
    named: Sequence[str] = (), *, port: int | None = None, stack_name: str | None = None
) -> tuple[Target, Topology]:
    """Start the engine if needed, build, deploy exactly the named use cases (none: all), warm their functions.

    Returns where that is and what is deployed. Raises UsageError for an unknown use case, EngineError if the engine
    does not start (port in use), UserError if SAM is missing or fails. Nothing is started if the input is wrong.
    """
    root, state = checkout(), state_folder()
    use_cases = chosen(root, named)
    sam()
    engine_runtime()
    engine = process.running(state)
    if engine is None or port is not None:
        with step("Starting the engine"):
            engine = process.start(state, port, environment=ENGINE_ENVIRONMENT)
    environment.write_profile(state, engine)
    target = Target(stack_name or STACK_NAME, engine, state)
    enter(state, engine)
    cloudformation = target.client("cloudformation")
    delete_failed_creation(cloudformation, target.stack_name)
    Deployment(root, state, engine, cloudformation, target.stack_name).run(use_cases)
    topology = target.topology()
    sql_replica.provide(state, target.client, topology)
    warm(target.client("lambda"), [topology.subscribers[name] for name in sorted(topology.subscribers)])
    return target, topology


def ensure_up() -> None:
    """Start what is missing for a demo: the engine, the application, or what has changed since it was deployed."""
    state = state_folder()
    engine = process.running(state)
    if engine is None:
        start()
        return
    target = resolve()
    try:
        topology = target.topology()
    except UserError:
        start()
        return
    if changed(checkout(), state):
        note("The checkout has changed since it was deployed: deploying it again.")
        start(topology.use_cases)
    elif sql_replica.SUBSCRIBER in topology.subscribers and not server.running(state):
        sql_replica.provide(state, target.client, topology)
