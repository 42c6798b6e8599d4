"""team_events: the message is in the feed of every team it addresses."""

from datetime import UTC, datetime

from fanout.identity import identity
from fanout_cli.demo.definition import Event, UseCaseDemo

_FEEDS = {"team_a": "team_a", "team_b": "team_b", "broadcast": "everyone"}


class Demo(UseCaseDemo):
    """Messages have no business key but the event's own identity."""

    def fresh(self, event: Event, run: str) -> Event:
        """Make the text unique to the run."""
        return self.with_data(event, text=f"{event['data']['text']} ({run})")

    def is_for(self, event: Event, subscriber: str) -> bool:
        """A message without an audience is for everyone; `broadcast` takes all."""
        audience = event["data"].get("audience") or ()
        return not audience or subscriber == "broadcast" or subscriber in audience

    def effect(self, event: Event, subscriber: str) -> str:
        """Return where the message is in the subscriber's feed."""
        feed = _FEEDS[subscriber]
        posted_at = datetime.fromisoformat(event["time"]).astimezone(UTC).isoformat(timespec="milliseconds")
        item = self.item(
            self.setting(subscriber, "FEED_TABLE"),
            pk=f"feed#{feed}",
            sk=f"{posted_at}#{identity(event['source'], event['id'])}",
        )
        if item is None or item["text"] != event["data"]["text"]:
            return ""
        return f"the feed of {feed} holds {item['author']}'s message of {item['posted_at']}"
