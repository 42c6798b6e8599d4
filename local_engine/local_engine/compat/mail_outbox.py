"""A stop of the engine loses the mail it has sent.

Symptom: after a restart GET /_ministack/ses/messages is empty.
Cause: `ses.get_state` leaves out the mail that `_sent_emails` keeps.
Patch: it is part of the state of the SES service.
It can go when upstream keeps it.
"""

import copy
from typing import Any

from ministack.services import ses

_KEY = "fanout_sent_emails"


def apply() -> None:
    """Write the sent mail with the rest of the service's state, and read it again."""
    get_state, load_persisted_state = ses.get_state, ses.load_persisted_state

    def with_mail() -> dict[str, Any]:
        return {**get_state(), _KEY: copy.deepcopy(ses._sent_emails)}

    def restored(data: dict[str, Any] | None) -> Any:
        ses._restore_regional_store(ses._sent_emails, (data or {}).get(_KEY, {}))
        return load_persisted_state(data)

    ses.get_state, ses.load_persisted_state = with_mail, restored
