"""user_interactions: users like, unlike, share and comment on posts."""

from datetime import datetime
from typing import Annotated

import msgspec

from fanout.contracts import contract

# Not "$", which also matches before a final line break; this is the end of the text in Python and in JSON Schema.
_END = r"(?![\s\S])"

PostId = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=f"^[!-~]+{_END}")]
UserId = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=f"^[!-~]+{_END}")]
Channel = Annotated[str, msgspec.Meta(pattern=f"^[a-z][a-z0-9_-]{{0,31}}{_END}")]

LONGEST_COMMENT = 2000
"""In characters (Unicode code points)."""


class _Interaction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    post_id: PostId
    user_id: UserId
    """Stable and never reused. It is stored, never logged."""
    occurred_at: Annotated[datetime, msgspec.Meta(tz=True)]
    """The time of the interaction by the producer's clock. It decides which like or unlike is the latest."""


@contract("post.liked.v1", topic="UserInteractions", filterable=("post_id",))
class PostLiked(_Interaction, frozen=True, kw_only=True, omit_defaults=True):
    """A user likes a post."""


@contract("post.unliked.v1", topic="UserInteractions", filterable=("post_id",))
class PostUnliked(_Interaction, frozen=True, kw_only=True, omit_defaults=True):
    """A user no longer likes a post."""


@contract("post.shared.v1", topic="UserInteractions", filterable=("post_id", "channel"))
class PostShared(_Interaction, frozen=True, kw_only=True, omit_defaults=True):
    """A user has shared a post. Every share counts, also a second one by the same user."""

    channel: Channel = "other"
    """The channel: link, mail, message, feed..."""


@contract("post.commented.v1", topic="UserInteractions", filterable=("post_id",))
class PostCommented(_Interaction, frozen=True, kw_only=True, omit_defaults=True):
    """A user has commented on a post."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_COMMENT, pattern=r"\S")]
    """As typed by the user: untrusted. It must not be blank."""
