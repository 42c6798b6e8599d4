"""The texts that people read, each within its receiver's limit."""

import re
from pathlib import Path

import pytest

from system_alerts.domain import message_format
from system_alerts.handlers import chat

from .conftest import notification

ROOT = Path(__file__).parents[3]
FACTS = {
    "since": "2026-11-22T12:00:00Z",
    "until": None,
    "alerts": 3,
    "severity": "HIGH",
    "runbook_url": "https://runbooks.example.com/shop?a=1&b=2",
    "fingerprint": "shop/errors",
}


def assert_sound(text: str, limit: int) -> None:
    """The text is within the limit, and each entity in it is whole."""
    assert len(text.encode("utf-16-le")) // 2 <= limit
    assert re.sub("&(amp|lt|gt);", "", text).count("&") == 0


@pytest.mark.parametrize("limit", [3_500, 2_000, 500])
@pytest.mark.parametrize(
    "description",
    ["&" * 4_000, "<b>" * 1_300, "x" * 4_000, "word " * 800, "😀" * 4_000, "e\u0301" * 2_000, "first\n\n" * 500],
    ids=["ampersands", "markup", "one word", "words", "emoji", "combining marks", "paragraphs"],
)
def test_chat_cuts_the_description_and_keeps_the_facts(description: str, limit: int) -> None:
    text = chat.message(notification(text=message_format.body(description=description, **FACTS)).data, limit)["text"]
    assert_sound(text, limit)
    assert text.startswith("*[HIGH] db: Full*\n")
    assert text.endswith(
        "...\n\nSeverity: HIGH\nSince:    2026-11-22T12:00:00Z\nAlerts:   3\n"
        "Runbook:  https://runbooks.example.com/shop?a=1&amp;b=2\nAlert:    shop/errors"
    )
    assert len(text.encode("utf-16-le")) // 2 > limit - 20, "no more is cut than must be"


@pytest.mark.parametrize("mention", ["@everyone", "@Channel", "(@ada", "<@123456789012345678>", "<@&1>", "@@here"])
def test_chat_messages_contain_no_mentions(mention: str) -> None:
    body = message_format.body(description=f"{mention} " * 400, **FACTS)
    text = chat.message(notification(subject=f"ada@example.com {mention}", text=body).data, 2_000)["text"]
    assert_sound(text, 2_000)
    assert text.startswith("*ada@example.com ")
    assert not re.search(r"(?<!\w)@[\w&!]", text)
    assert text.endswith("Alert:    shop/errors")


def test_a_fact_that_does_not_fit_leaves_room_to_the_others() -> None:
    link = "https://example.com/" + "x" * 1_980
    text = chat.message(
        notification(text=message_format.body(description="d" * 4_000, **FACTS | {"runbook_url": link})).data, 2_000
    )["text"]
    assert_sound(text, 2_000)
    assert "x" * 100 not in text
    assert text.endswith("Severity: HIGH\nSince:    2026-11-22T12:00:00Z\nAlerts:   3\nAlert:    shop/errors")
    assert "ddd...\n\n" in text


def test_a_subject_of_entities_only_leaves_room_for_the_facts() -> None:
    text = chat.message(notification(subject="&" * 200, text=message_format.body(description="d", **FACTS)).data, 500)[
        "text"
    ]
    assert_sound(text, 500)
    assert text.startswith("*&amp;&amp;")
    assert "Severity: HIGH\nSince:    2026-11-22T12:00:00Z" in text


def test_a_text_without_facts_is_cut_at_its_end() -> None:
    text = chat.message(notification(text="x" * 20_000).data)["text"]
    assert text == f"*[HIGH] db: Full*\n{'x' * 3_479}..."
    assert len(text) == 3_500


@pytest.mark.parametrize("limit", [3_500, 2_000, 500])
@pytest.mark.parametrize("count", [1, 25, 40])
def test_chat_shortens_a_summary_by_whole_lines_and_counts_the_rest(count: int, limit: int) -> None:
    lines = [
        message_format.SummaryLine(
            severity="LOW", service=f"s-{number}", title="<&" * 20, alerts=7, status="open", is_suppressed=number > 5
        )
        for number in range(count)
    ]
    subject, text = message_format.summary(
        start="2026-11-22T12:00:00Z", end="2026-11-22T12:05:00Z", alerts=7, lines=lines
    )
    shown = chat.message(notification(kind="summary", subject=subject, text=text).data, limit)["text"]
    assert_sound(shown, limit)
    introduction, rows = shown.split("\n\n")
    assert introduction.endswith("message of their own." if count > 6 else "Each of them got a message.")
    *whole, last = rows.split("\n")
    if count == 1:
        assert (whole, last.endswith(" (open)")) == ([], True)
    else:
        assert last == f"and {count - len(whole)} more"
        assert all(
            row.startswith("LOW") and row.endswith((" (open)", " (open, no message of its own)")) for row in whole
        )


@pytest.mark.parametrize(
    ("url", "limit"),
    [
        ("https://hooks.slack.com/services/T/B/x", 3_500),
        ("https://discord.com/api/webhooks/1/x/slack", 2_000),
        ("https://PTB.discord.com/api/webhooks/1/x/slack", 2_000),
        ("https://discordapp.com:443/api/webhooks/1/x/slack", 2_000),
        ("https://discord.com", 2_000),
        ("https://proxy.example.com:8443/api/webhooks/1/x/slack", 2_000),
        ("https://proxy.example.com/services/hook/slack", 3_500),
        ("https://discord.com.example.com/hooks", 3_500),
        ("https://notdiscord.com/hooks", 3_500),
        ("https://example.com/discord.com", 3_500),
        ("https://[", 3_500),
    ],
)
def test_a_receiver_s_limit_follows_from_its_url_unless_the_secret_names_one(url: str, limit: int) -> None:
    assert chat.limit_of(chat.Webhook(url=url)) == limit
    assert chat.limit_of(chat.Webhook(url=url, limit=800)) == 800


def sms(title: str, runbook_url: str | None = None) -> str:
    subject = message_format.subject("opened", "CRITICAL", "checkout", title)
    return str(message_format.present(notification(subject=subject, runbook_url=runbook_url)).texts["sms"])


@pytest.mark.parametrize(
    ("title", "text"),
    [
        pytest.param("payments fail", "[CRITICAL] checkout: payments fail", id="short"),
        pytest.param("x" * 300, f"[CRITICAL] checkout: {'x' * 126}...", id="longer than a subject may be"),
        pytest.param(
            "Störung größer, " * 20, "[CRITICAL] checkout: " + ("Störung größer, " * 20)[:126] + "...", id="äöü"
        ),
        pytest.param("płatności", "[CRITICAL] checkout: płatności", id="UCS-2"),
        pytest.param("ł" * 100, f"[CRITICAL] checkout: {'ł' * 38}...", id="longer than UCS-2 may be"),
        pytest.param("😀" * 100, f"[CRITICAL] checkout: {'😀' * 19}...", id="emoji"),
    ],
)
def test_an_sms_of_any_title_is_one_segment_behind_the_topic_s_name(title: str, text: str) -> None:
    assert sms(title) == text


def test_an_sms_contains_the_runbook_if_it_fits() -> None:
    link = "https://example.com/" + "r" * 80
    assert sms("short", link) == f"[CRITICAL] checkout: short {link}"
    assert sms("x" * 40, link) == f"[CRITICAL] checkout: {'x' * 40}"
    assert sms("ł", link) == "[CRITICAL] checkout: ł"


def test_the_prefix_of_an_sms_is_the_topic_s_display_name() -> None:
    template = (ROOT / "usecases/system_alerts/template.yaml").read_text(encoding="utf-8")
    [name] = re.findall(r"DisplayName: (.+)", template)
    assert f"{name.upper()}> " == message_format._SMS_PREFIX


def test_a_mail_s_subject_is_cut_at_a_character_that_sns_accepts() -> None:
    subject = "x" * 95 + "👩\u200d👩\u200d👧" + "x" * 20
    presentation = message_format.present(notification(subject=subject))
    assert presentation.subject == "x" * 95 + "..."
    assert presentation.texts["email"].startswith(subject)
    assert len(presentation.line) < 100


@pytest.mark.parametrize("fingerprint", ["a\n\nb", "a\nSeverity: LOW"])
def test_each_fact_is_one_line(fingerprint: str) -> None:
    text = message_format.body(description="d", **FACTS | {"fingerprint": fingerprint})
    assert text.endswith(f"\nAlert:    {' '.join(fingerprint.split())}")
