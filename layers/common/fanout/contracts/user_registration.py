"""user_registration: someone signed up; and what the mail system said about the welcome mail."""

from typing import Annotated, Literal

import msgspec

from fanout.contracts import contract
from fanout.locales import DEFAULT, Locale, canonical

# "$" would let a line break through at the end; this is the end of the text in Python and in JSON Schema alike.
_END = r"(?![\s\S])"

UserId = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=f"^[!-~]+{_END}")]
Plan = Annotated[str, msgspec.Meta(pattern=f"^[a-z][a-z0-9_-]{{0,31}}{_END}")]
Address = Annotated[str, msgspec.Meta(min_length=1, max_length=254)]


@contract("user.registered.v1", topic="UserRegistration", filterable=("plan", "locale"))
class UserRegistered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A user has registered. It happens once per `user_id`; who comes back after leaving gets a new one."""

    user_id: UserId
    """Stable and never given to anyone else: it is what identifies the registration."""
    email: Address
    """As the user typed it. Whether mail can reach it is for whoever sends mail to judge, not for the contract."""
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    """As the user typed it: not to be trusted."""
    plan: Plan = "free"
    locale: Locale = DEFAULT
    """The user's language, a BCP 47 tag: en, de-AT, zh-Hant-TW. Others become one, or `en`."""
    marketing_consent: bool = False
    """Whether the user agreed to mail that is not needed for the account itself."""

    def __post_init__(self) -> None:
        """Put the locale in canonical form."""
        msgspec.structs.force_setattr(self, "locale", canonical(self.locale))


FeedbackKind = Literal["permanent_bounce", "transient_bounce", "complaint", "not_spam"]


@contract("mail.feedback.v1", topic="MailFeedback", filterable=("kind",))
class MailFeedback(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A mail came back, or its reader complained about it."""

    kind: FeedbackKind
    addresses: Annotated[
        tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=320)], ...],
        msgspec.Meta(min_length=1, max_length=50),
    ]
    """Whom the feedback is about, at most the 50 recipients that one mail can have."""
    detail: Annotated[str, msgspec.Meta(pattern=f"^[A-Za-z0-9_-]{{0,64}}{_END}")] = ""
    """The mail system's own word for it: NoEmail, MailboxFull, abuse."""
