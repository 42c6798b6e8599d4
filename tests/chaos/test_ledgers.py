"""A ledger that always says "once" would make every run clean: each must distinguish never, once and twice."""

import json
from collections import Counter
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from fanout.identity import identity
from tests.chaos import ledger
from tests.integration.application_logs import chaos_ledger as application_logs
from tests.integration.audit_logs import chaos_ledger as audit_logs
from tests.integration.batch_jobs import chaos_ledger as batch_jobs
from tests.integration.data_aggregation import chaos_ledger as data_aggregation
from tests.integration.order_processing import chaos_ledger as order_processing
from tests.integration.order_workflow import chaos_ledger as order_workflow
from tests.integration.system_alerts import chaos_ledger as system_alerts
from tests.integration.team_events import chaos_ledger as team_events
from tests.integration.user_interactions import chaos_ledger as user_interactions
from tests.integration.user_registration import chaos_ledger as user_registration

Tables = Mapping[str, list[dict[str, Any]]]


def made(
    module: Any, tables: Tables, *, mails: Mapping[str, int] | None = None, posts: list[Any] | None = None
) -> ledger.Ledger:
    """The ledger of a use case whose tables, by the variable that names them, hold this and nothing else."""
    sent = SimpleNamespace(accepted=lambda: posts or [])
    stores: Any = SimpleNamespace(
        items=lambda variable: tables.get(variable, []),
        mails=lambda: Counter(mails or {}),
        deployment=SimpleNamespace(chat=sent, pager=sent),
    )
    demo: Any = SimpleNamespace(setting=lambda _, variable: variable)
    found: ledger.Ledger = module.Ledger(demo, stores)
    return found


def event(event_type: str, **data: Any) -> dict[str, Any]:
    return {"id": "e-1", "source": "urn:test", "type": event_type, "time": "2026-10-31T23:59:59.999Z", "data": data}


@pytest.mark.parametrize("times", [0, 1, 2])
class TestAnEffectIsCounted:
    def test_lines_of_a_feed(self, times: int) -> None:
        key = identity("urn:test", "e-1")
        lines = [{"pk": "feed#team_a", "sk": f"2026-10-31T23:59:5{n}Z#{key}"} for n in range(times)]
        found = made(team_events, {"FEED_TABLE": lines})
        assert found.times(event("team.message.posted.v1"), "team_a") == times
        assert found.times(event("team.message.posted.v1"), "team_b") == 0

    def test_mails_about_a_registration_or_an_order(self, times: int) -> None:
        mails = {"ada@example.org": times}
        user = event("user.registered.v1", email="ada@example.org", user_id="u")
        assert made(user_registration, {}, mails=mails).times(user, "notify_service") == times
        order = event("order.submitted.v1", customer={"email": "ada@example.org"}, order_id="o")
        assert made(order_processing, {}, mails=mails).times(order, "customer_notification") == times
        order = event("order.confirmed.v1", email="ada@example.org", order_id="o")
        assert made(order_workflow, {}, mails=mails).times(order, "notification") == times

    def test_shares_and_comments_of_a_post_over_all_shards(self, times: int) -> None:
        shards = [{"pk": f"totals#00{n}#p", "sk": "-", "shares": 1, "comments": 1} for n in range(times)]
        found = made(user_interactions, {"INTERACTIONS_TABLE": shards})
        assert found.times(event("post.shared.v1", post_id="p", user_id="u"), "shares") == times
        assert found.times(event("post.commented.v1", post_id="p", user_id="u"), "comments") == times

    def test_errors_of_a_service_in_their_minute(self, times: int) -> None:
        item = {"pk": "service#s", "sk": "minute#2026-10-31T23:59Z", "errors": times}
        found = made(application_logs, {"MONITOR_TABLE": [item]})
        assert found.times(event("log.entry.v1", service="s", level="ERROR"), "monitor") == times

    def test_reserved_articles(self, times: int) -> None:
        stock = [
            {"pk": "order#o", "sk": "reservation", "state": "held"},
            {"pk": "sku#MUG", "sk": "stock", "reserved": 2 * times},
        ]
        found = made(order_workflow, {"STOCK_TABLE": stock})
        placed = event("order.placed.v1", order_id="o", lines=[{"sku": "MUG", "quantity": 2}])
        assert found.times(placed, "inventory") == times

    def test_tracking_numbers_of_parcels(self, times: int) -> None:
        items = [{"pk": f"tracking#{n}", "sk": "parcel", "order_id": "o"} for n in range(2 * times)]
        found = made(order_processing, {"LABEL_TABLE": items})
        assert found.times(event("order.submitted.v1", order_id="o", parcels=[1, 2]), "shipping") == times

    def test_totals_of_the_hour_and_the_day_of_an_event(self, times: int) -> None:
        windows = ("hour#2026-10-31T23", "day#2026-10-31")
        amounts = {"views": 1, "engaged_ms": 700}
        items = [
            {"pk": f"{measure}#site=s", "sk": window, "total": times * amount}
            for measure, amount in amounts.items()
            for window in windows
            if times
        ]
        found = made(data_aggregation, {"AGGREGATES_TABLE": items})
        assert found.times(event("web.pageview.v1", site="s", visible_ms=700), "web") == times

    def test_places_in_a_chain(self, times: int) -> None:
        body = json.dumps({"event": {"id": "e-1", "source": "urn:test"}})
        items = [{"pk": "chain#t", "sk": f"entry#{n:020}", "body": body} for n in range(times)]
        found = made(audit_logs, {"AUDIT_TABLE": items})
        assert found.times(event("audit.recorded.v1", tenant="t"), "record") == times

    def test_posts_to_a_chat(self, times: int) -> None:
        posts = [{"text": "about disk:full-0123456789ab"}] * times
        found = made(system_alerts, {}, posts=posts)
        assert found.times(event("alert.notification.v1", fingerprint="disk:full-0123456789ab"), "chat") == times

    def test_rows_that_a_job_counted(self, times: int) -> None:
        job = {"job_id": "j", "sk": "job", "pk": "job#j", "state": "COMPLETED", "good": 5 * times, "rejected": times}
        found = made(batch_jobs, {"JOB_TABLE": [job]})
        assert found.times(event("job.requested.v1", job_id="j", kind="report"), "start_job") == times


def test_an_event_counted_in_another_window_than_its_own_is_missing() -> None:
    minute = {"pk": "service#s", "sk": "minute#2026-11-01T00:00Z", "errors": 1}
    found = made(application_logs, {"MONITOR_TABLE": [minute]})
    assert found.times(event("log.entry.v1", service="s", level="ERROR"), "monitor") == 0
    items = [
        {"pk": f"{measure}#site=s", "sk": window, "total": 1}
        for measure in ("views", "engaged_ms")
        for window in ("hour#2026-11-01T00", "day#2026-11-01")
    ]
    found = made(data_aggregation, {"AGGREGATES_TABLE": items})
    assert found.times(event("web.pageview.v1", site="s", visible_ms=1), "web") == 0


@pytest.mark.parametrize(("likes", "expected"), [(0, 0), (1, 1), (2, 2)])
def test_a_post_must_have_the_current_like_and_no_other(likes: int, expected: int) -> None:
    state = {"pk": "user#u", "sk": "like#p", "liked": True, "event_id": "e-1"}
    total = {"pk": "totals#001#p", "sk": "-", "likes": likes}
    found = made(user_interactions, {"INTERACTIONS_TABLE": [state, total]})
    assert found.times(event("post.liked.v1", post_id="p", user_id="u"), "likes") == expected


def test_a_removed_like_is_replaced_by_the_event_that_removed_it() -> None:
    state = {"pk": "user#u", "sk": "like#p", "liked": False, "event_id": "e-2"}
    found = made(user_interactions, {"INTERACTIONS_TABLE": [state]})
    assert found.times(event("post.liked.v1", post_id="p", user_id="u"), "likes") is None
    assert found.times({**event("post.unliked.v1", post_id="p", user_id="u"), "id": "e-2"}, "likes") == 1


def test_a_day_that_counts_more_users_than_are_recorded_is_a_fault() -> None:
    user = {
        "pk": "user#u",
        "sk": "registration",
        "registered_at": "2026-10-31T23:59:59.999+00:00",
        "plan": "free",
        "locale": "en",
    }
    day = {"pk": "registrations#2026-10-31", "sk": "shard#01", "registrations": 2, "plan:free": 2, "locale:en": 2}
    found = made(user_registration, {"ANALYTICS_TABLE": [user, day]}).faults([])
    assert found[-1] == "2026-10-31 registrations are counted as 2, and 1 users are recorded"
    once = {**day, "registrations": 1, "plan:free": 1, "locale:en": 1}
    assert made(user_registration, {"ANALYTICS_TABLE": [user, once]}).faults([]) == []
