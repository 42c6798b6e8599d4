"""application_logs as a stack of its own, with a topic for alerts and a foreign log group given by parameter."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from fanout.contracts.application_logs import LogEntry
from fanout.event import Event, decode, decode_data
from fanout_cli.stack.deploy import engine_runtime
from tests.integration.application import BIN, ROOT, Application, Listener

STACK = "fanout-alerting"
THRESHOLD = 20
WINDOW = 600
SOURCE_LOG_GROUP = "/aws/lambda/somebody-elses"


class Alerting(Application):
    """The use case alone on the session's engine, and a queue that receives its alerts."""

    def listen(self) -> str:
        """Make the topic for alerts, and a queue that receives them. Returns the topic's ARN."""
        topic: str = self.client("sns").create_topic(Name="SystemAlerts")["TopicArn"]
        self._listener = Listener(self.client, topic, "listener-of-alerts")
        return topic

    def deploy(self, folder: Path, alert_topic: str) -> None:
        """Build and deploy the use case's template by itself, with the stock SAM CLI."""
        template = "usecases/application_logs/template.yaml"
        parameters = [
            "Stage=local",
            "InvokedVersion=latest",
            f"Runtime={engine_runtime()}",
            "ArchiveBatchSize=10",
            "ArchiveBatchWindow=1",
            f"AlertTopicArn={alert_topic}",
            f"AlertThreshold={THRESHOLD}",
            f"AlertWindowSeconds={WINDOW}",
            f"SourceLogGroup={SOURCE_LOG_GROUP}",
        ]
        config = ["--config-file", str(ROOT / "samconfig.toml"), "--config-env", "local"]
        self.sam("build", "-t", template, "--build-dir", str(folder), *config)
        built = ["-t", str(folder / "template.yaml"), "--stack-name", STACK]
        self.sam("deploy", *built, *config, "--parameter-overrides", *parameters)

    def sam(self, *arguments: str) -> None:
        """Run the stock SAM CLI against the engine."""
        found = subprocess.run(
            [str(BIN / "sam"), *arguments],
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 0, found.stdout + found.stderr

    def archived(self, service: str) -> list[Event[LogEntry]]:
        """The archived entries of a service, as `fanout logs read` gives them."""
        found = self.fanout("logs", "read", "--service", service, "--json", "--stack-name", self.stack_name)
        return [decode_data(decode(line), LogEntry) for line in found.stdout.splitlines()]

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts published since the last call."""
        return self._listener.received()

    def is_idle(self) -> bool:
        """Whether nothing is left in the inboxes, neither waiting nor in work."""
        names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ]
        inboxes = [each.inbox_url for each in self.topology.subscribers.values()]
        counts = [
            self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"] for url in inboxes
        ]
        return all(int(each[name]) == 0 for each in counts for name in names)


@pytest.fixture(scope="session")
def alerting(application: Application, tmp_path_factory: pytest.TempPathFactory) -> Alerting:
    made = Alerting(application.state, stack_name=STACK, root=ROOT)
    made.client("logs").create_log_group(logGroupName=SOURCE_LOG_GROUP)
    made.deploy(tmp_path_factory.mktemp("build"), made.listen())
    return made
