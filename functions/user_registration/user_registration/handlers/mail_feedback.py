"""Suppresses mail to addresses after bounces and complaints."""

from fanout import Discard, Event, Outcome, subscriber
from fanout.contracts.user_registration import MailFeedback
from user_registration import suppression
from user_registration.domain.ses_feedback import from_ses


@subscriber(MailFeedback, translate=from_ses)
def handler(event: Event[MailFeedback]) -> Outcome:
    """Suppress the addresses, unless the bounce is transient or the reader marked the mail as not spam."""
    if event.data.kind == "transient_bounce":
        raise Discard("transient-bounce", f"{event.data.detail or 'no detail'}; the next mail may arrive")
    if event.data.kind == "not_spam":
        raise Discard("not-spam", "the reader says that the mail is wanted")
    return suppression.suppress(event)
