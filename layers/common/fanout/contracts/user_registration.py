"""user_registration: a user has registered; and the mail system's feedback about the welcome mail."""

from typing import Annotated, Literal

import msgspec

from fanout.contracts import contract
from fanout.locales import DEFAULT, Locale, canonical

# Not "$", which also matches before a final line break; this is the end of the text in Python and in JSON Schema.
_END = r"(?![\s\S])"

UserId = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=f"^[!-~]+{_END}")]
Plan = Annotated[str, msgspec.Meta(pattern=f"^[a-z][a-z0-9_-]{{0,31}}{_END}")]
Address = Annotated[str, msgspec.Meta(min_length=1, max_length=254)]


@contract("user.registered.v1", topic="UserRegistration", filterable=("plan", "locale"))
class UserRegistered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A user has registered. It happens once per `user_id`; a user who returns gets a new one."""

    user_id: UserId
    """Stable and never reused: it identifies the registration."""
    email: Address
    """As the user typed it. The sender of mail decides whether mail can reach it."""
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    """As typed by the user: untrusted."""
    plan: Plan = "free"
    locale: Locale = DEFAULT
    """The user's language, a BCP 47 tag: en, de-AT, zh-Hant-TW. Other notations are converted, else it is `en`."""
    marketing_consent: bool = False
    """Whether the user agreed to mail that the account does not need."""

    def __post_init__(self) -> None:
        """Put the locale in canonical form."""
        msgspec.structs.force_setattr(self, "locale", canonical(self.locale))


FeedbackKind = Literal["permanent_bounce", "transient_bounce", "complaint", "not_spam"]


@contract("mail.feedback.v1", topic="MailFeedback", filterable=("kind",))
class MailFeedback(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A mail bounced, or its recipient complained about it."""

    kind: FeedbackKind
    addresses: Annotated[
        tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=320)], ...],
        msgspec.Meta(min_length=1, max_length=50),
    ]
    """The recipients that the feedback is about: at most the 50 of one mail."""
    detail: Annotated[str, msgspec.Meta(pattern=f"^[A-Za-z0-9_-]{{0,64}}{_END}")] = ""
    """The mail system's code: NoEmail, MailboxFull, abuse."""
