"""user_interactions: the user's state, the post's counters, its comment and the minute's score are in the table."""

from datetime import UTC, datetime
from typing import Any

from fanout_cli.demo.definition import Event, UseCaseDemo

_WEIGHTS = {"likes": 1, "comments": 3, "shares": 5}


class Demo(UseCaseDemo):
    """Every sample has its own post and user."""

    def fresh(self, event: Event, run: str) -> Event:
        """Return the interaction with the current time, a new user and a new post."""
        return self.with_data(event, post_id=f"post_{run}", user_id=f"usr_{run}", occurred_at=event["time"])

    def effect(self, event: Event, subscriber: str) -> str:
        """Return what the subscriber has recorded, counted and scored."""
        data = event["data"]
        stands = event["type"] != "post.unliked.v1"
        if self._total(data, subscriber) != stands or self._score(data) != stands * _WEIGHTS[subscriber]:
            return ""
        match subscriber:
            case "likes":
                state = self._item(pk=f"user#{data['user_id']}", sk=f"like#{data['post_id']}")
                if not state or (state["event_id"], state["liked"]) != (event["id"], stands):
                    return ""
                word = "likes" if stands else "does not like"
                return f"{data['user_id']} {word} {data['post_id']}, which has {int(stands)} likes"
            case "comments":
                return self._comment(event)
            case _:
                channel = f"channel:{data.get('channel', 'other')}"
                return f"{data['post_id']} has 1 share ({channel})" if self._total(data, channel) == 1 else ""

    def _comment(self, event: Event) -> str:
        data = event["data"]
        found = self.client("dynamodb").query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": f"comments#{data['post_id']}"}},
            ConsistentRead=True,
        )["Items"]
        if [(item["comment_id"]["S"], item["text"]["S"]) for item in found] != [(event["id"], data["text"])]:
            return ""
        return f"{data['post_id']} has 1 comment, by {data['user_id']}"

    def _total(self, data: dict[str, Any], name: str) -> int:
        """Return a total of the post: the sum over all shards."""
        return self._sum(name, [(f"totals#{shard}#{data['post_id']}", "-") for shard in self._shards])

    def _score(self, data: dict[str, Any]) -> int:
        """Return the post's score in the minute of the sample."""
        minute = datetime.fromisoformat(data["occurred_at"]).astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")
        return self._sum("score", [(f"trending#{shard}", f"{minute}#{data['post_id']}") for shard in self._shards])

    def _sum(self, name: str, keys: list[tuple[str, str]]) -> int:
        return sum(int((self._item(pk=pk, sk=sk) or {}).get(name, 0)) for pk, sk in keys)

    def _item(self, **key: Any) -> dict[str, Any] | None:
        return self.item(self._table, **key)

    @property
    def _table(self) -> str:
        return self.setting("likes", "INTERACTIONS_TABLE")

    @property
    def _shards(self) -> list[str]:
        return [f"{shard:03}" for shard in range(int(self.setting("likes", "COUNTER_SHARDS")))]
