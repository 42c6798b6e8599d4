"""Where the daily counts stand.

A day's counts are spread over several items, because every registration is a transaction and two transactions cannot
have the same item at the same time. Who reads a day adds its items up.
"""

import hashlib
from datetime import date

SHARDS = 16


def counts_key(day: date, user_id: str) -> dict[str, str]:
    """Return the key of the item that counts this user's registration.

    Its attributes: `registrations`, `plan:<plan>` for each plan and `locale:<locale>` for each locale.
    """
    shard = hashlib.sha256(user_id.encode()).digest()[0] % SHARDS
    return {"pk": f"registrations#{day.isoformat()}", "sk": f"shard#{shard:02}"}
