"""Returns totals, comments and trending posts. The application that shows posts invokes this function; see the README.

{"action": "totals", "post_id": "p-1"}
{"action": "comments", "post_id": "p-1", "limit": 20, "after": the `next` of the previous page}
{"action": "trending", "minutes": 5, "limit": 10}
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec

from fanout.contracts.user_interactions import PostId
from user_interactions import comment_store, counters, responses
from user_interactions.domain.timestamps import start_of_minute, to_text


class Totals(msgspec.Struct, tag_field="action", tag="totals", forbid_unknown_fields=True):
    """How many users like a post, and how many shares and comments it has."""

    post_id: PostId


class Comments(msgspec.Struct, tag_field="action", tag="comments", forbid_unknown_fields=True):
    """A post's comments, the newest first."""

    post_id: PostId
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20
    after: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)] | None = None


class Trending(msgspec.Struct, tag_field="action", tag="trending", forbid_unknown_fields=True):
    """The posts with the highest scores in the latest minutes, the present one included."""

    minutes: Annotated[int, msgspec.Meta(ge=1, le=1440)] = 5
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10


def handler(request: Any, _context: Any) -> dict[str, Any]:
    """Respond to one request. See the module's docstring, and `responses.respond` for invalid requests."""
    return responses.respond(request, Totals | Comments | Trending, _act)


def _act(request: Totals | Comments | Trending) -> Mapping[str, Any]:
    match request:
        case Totals():
            return {"post_id": request.post_id, "totals": counters.totals(request.post_id)}
        case Comments():
            page = comment_store.newest(request.post_id, request.limit, request.after)
            return {"post_id": request.post_id, "comments": page.comments, "next": page.next}
        case Trending():
            return _trending(request)


def _trending(request: Trending) -> Mapping[str, Any]:
    since = start_of_minute(datetime.now(UTC)) - timedelta(minutes=request.minutes - 1)
    scores = {post_id: sum(minutes.values()) for post_id, minutes in counters.scores(since).items()}
    ranked = sorted(scores.items(), key=lambda entry: (-entry[1], entry[0]))
    return {
        "since": to_text(since),
        "posts": [{"post_id": post_id, "score": score} for post_id, score in ranked[: request.limit]],
    }
