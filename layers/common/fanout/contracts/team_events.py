"""team_events: a message to all teams, or to the teams it names."""

from typing import Annotated, Literal

import msgspec

from fanout.contracts import contract

Team = Literal["team_a", "team_b"]


@contract("team.message.posted.v1", topic="TeamEvents", filterable=("audience",))
class TeamMessagePosted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Someone posted a message."""

    text: Annotated[str, msgspec.Meta(min_length=1)]
    author: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    audience: Annotated[tuple[Team, ...], msgspec.Meta(max_length=20)] = ()
    """The teams it is for; empty means everyone."""

    def is_for(self, team: Team) -> bool:
        """Tell whether the message is for this team."""
        return not self.audience or team in self.audience
