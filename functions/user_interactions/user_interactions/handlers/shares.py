"""Shares of posts, counted in total and per channel. SNS invokes this function directly."""

from fanout import Event, Outcome, subscriber, transact_once
from fanout.contracts.user_interactions import PostShared
from user_interactions import settings
from user_interactions.counters import Changes
from user_interactions.domain.timestamps import time_of


@subscriber(PostShared)
def handler(event: Event[PostShared]) -> Outcome:
    """Count the share once."""
    share = event.data
    changes = Changes(share.post_id, share.user_id)
    changes.count("shares", 1)
    changes.count(f"channel:{share.channel}", 1)
    changes.score("shares", time_of(event.data))
    return transact_once(event, settings.load().interactions_table, changes.actions())
