"""Approves or refuses comments that are held for review. A moderator invokes this function; see the README.

{"action": "list", "limit": 20, "after": the `next` of the previous page}
{"action": "approve", "entry": the `entry` of a comment in the list}
{"action": "refuse", "entry": the same; the comment is deleted}
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from user_interactions import comment_store, responses

Entry = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


class List(msgspec.Struct, tag_field="action", tag="list", forbid_unknown_fields=True):
    """Held comments, the oldest first."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20
    after: Entry | None = None


class Approve(msgspec.Struct, tag_field="action", tag="approve", forbid_unknown_fields=True):
    """Publish a comment."""

    entry: Entry


class Refuse(msgspec.Struct, tag_field="action", tag="refuse", forbid_unknown_fields=True):
    """Delete a comment."""

    entry: Entry


def handler(request: Any, _context: Any) -> dict[str, Any]:
    """Respond to one request. See the module's docstring, and `responses.respond` for invalid requests."""
    return responses.respond(request, List | Approve | Refuse, _act)


def _act(request: List | Approve | Refuse) -> Mapping[str, Any]:
    match request:
        case List():
            page = comment_store.held(request.limit, request.after)
            return {"comments": page.comments, "next": page.next}
        case Approve():
            return {"decided": comment_store.approve(request.entry)}
        case Refuse():
            return {"decided": comment_store.refuse(request.entry)}
