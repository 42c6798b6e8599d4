"""shipping: a service by weight and zone, one label per order, one tracking number per parcel."""

from collections.abc import Callable
from typing import Any

import pytest

from fanout import aws
from order_processing.domain.tariffs import zone_of
from order_processing.domain.tracking_numbers import check_digit, tracking_number
from tests.submitted_orders import submitted

from .conftest import Account

Items = Callable[[str], list[dict[str, Any]]]


def label(items: Items, order_id: str = "o-1") -> dict[str, Any]:
    [found] = [item for item in items("label") if item["pk"] == f"order#{order_id}"]
    return found


@pytest.mark.parametrize(
    ("country", "grams", "expected"),
    [
        ("DE", 1, ("domestic", "letter-tracked")),
        ("DE", 1_000, ("domestic", "letter-tracked")),
        ("DE", 1_001, ("domestic", "parcel")),
        ("DE", 10_001, ("domestic", "parcel-heavy")),
        ("DE", 31_501, ("domestic", "freight")),
        ("FR", 2_000, ("eu", "letter-tracked-eu")),
        ("FR", 31_500, ("eu", "parcel-eu")),
        ("FR", 31_501, ("eu", "freight-eu")),
        ("CH", 2_001, ("world", "parcel-world")),
        ("JP", 20_000, ("world", "parcel-world")),
    ],
)
def test_the_service_follows_from_weight_and_zone(
    account: Account, items: Items, country: str, grams: int, expected: tuple[str, str]
) -> None:
    assert account.deliver("shipping", submitted(country=country, weights=(grams,))) == ["processed"]
    [parcel] = label(items)["parcels"]
    assert (label(items)["zone"], parcel["service"]) == expected


def test_zones_depend_on_the_country_of_the_sender(account: Account) -> None:
    assert [zone_of("FR", "FR"), zone_of("FR", "CH"), zone_of("CH", "CH"), zone_of("FR", "DE")] == [
        "domestic",
        "world",
        "domestic",
        "eu",
    ]


def test_a_parcel_that_no_service_carries_is_rejected_by_name(account: Account, items: Items) -> None:
    [receipt] = account.receipts("shipping", submitted(country="JP", weights=(500, 20_001)))
    assert receipt == (
        "rejected",
        "no-service: parcel 2 weighs 20001 g, and the heaviest parcel to zone world is 20000 g",
    )
    assert items("label") == []


def test_a_label_names_every_parcel_and_each_number_leads_back_to_it(account: Account, items: Items) -> None:
    account.deliver("shipping", submitted(weights=(500, 5_000, 500)))
    found = label(items)
    numbers = [parcel["tracking_number"] for parcel in found["parcels"]]
    assert len(set(numbers)) == 3
    assert [int(parcel["weight_grams"]) for parcel in found["parcels"]] == [500, 5_000, 500]
    assert found["address"]["city"] == "Berlin"
    tracking = {
        item["pk"]: (item["order_id"], int(item["parcel"])) for item in items("label") if item["sk"] == "parcel"
    }
    assert tracking == {f"tracking#{number}": ("o-1", place) for place, number in enumerate(numbers, 1)}


def test_an_order_with_as_many_parcels_as_may_be_gets_its_label(account: Account, items: Items) -> None:
    assert account.deliver("shipping", submitted(weights=(100,) * 50)) == ["processed"]
    assert len(items("label")) == 51


def test_an_order_has_one_label_however_often_it_is_delivered(account: Account, items: Items) -> None:
    event = submitted()
    assert account.deliver("shipping", event, event, submitted(event_id="another event")) == [
        "processed",
        "duplicate",
        "duplicate",
    ]
    assert len(items("label")) == 2


def test_another_consignment_under_the_same_id_is_rejected(account: Account, items: Items) -> None:
    account.deliver("shipping", submitted())
    [(outcome, reason)] = account.receipts("shipping", submitted(country="FR"))
    assert (outcome, reason.split(":")[0]) == ("rejected", "conflict")
    assert label(items)["zone"] == "domestic"


def test_a_lost_response_makes_no_second_label(account: Account, items: Items, monkeypatch: pytest.MonkeyPatch) -> None:
    client = aws.client("dynamodb")
    real = client.transact_write_items

    def lose(**parameters: Any) -> None:
        real(**parameters)
        raise TimeoutError

    with monkeypatch.context() as patch:
        patch.setattr(client, "transact_write_items", lose)
        assert account.deliver("shipping", submitted()) == ["retrying"]
    before = label(items)
    assert account.deliver("shipping", submitted()) == ["duplicate"]
    assert label(items) == before


def test_a_tracking_number_in_use_is_skipped(account: Account, items: Items) -> None:
    taken = tracking_number("o-1", 1)
    aws.client("dynamodb").put_item(
        TableName="label",
        Item={"pk": {"S": f"tracking#{taken}"}, "sk": {"S": "parcel"}, "order_id": {"S": "o-other"}},
    )
    assert account.deliver("shipping", submitted()) == ["processed"]
    [parcel] = label(items)["parcels"]
    assert parcel["tracking_number"] == tracking_number("o-1", 1, 1) != taken


def test_check_digits_are_those_of_gs1_s_own_examples(account: Account) -> None:
    assert check_digit("629104150021") == 3
    assert check_digit("37610425002123456") == 9


def test_a_misread_digit_of_a_tracking_number_is_noticed(account: Account) -> None:
    digits = tracking_number("o-1", 1).removeprefix("FO")
    assert len(digits) == 19
    for place in range(18):
        misread = f"{digits[:place]}{(int(digits[place]) + 4) % 10}{digits[place + 1 : 18]}"
        assert str(check_digit(misread)) != digits[18]


def test_an_invalid_order_between_valid_ones_affects_no_other(account: Account, items: Items) -> None:
    assert account.deliver("shipping", submitted("o-1"), "{}", submitted("o-2")) == [
        "processed",
        "rejected",
        "processed",
    ]
    assert {item["pk"] for item in items("label") if item["sk"] == "label"} == {"order#o-1", "order#o-2"}
