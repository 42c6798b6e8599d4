"""Keys of the daily registration counts.

A day's counts are sharded over several items, because every registration is a transaction and concurrent transactions
on one item conflict. Readers add the items of a day up.
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
