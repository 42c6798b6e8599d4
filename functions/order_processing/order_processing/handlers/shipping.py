"""Picks a service for each parcel and writes the order's label, with a tracking number per parcel."""

from fanout import Event, Outcome, Reject, subscriber
from fanout.contracts.order_processing import OrderSubmitted
from order_processing import labels, settings
from order_processing.domain import tariffs


@subscriber(OrderSubmitted)
def handler(event: Event[OrderSubmitted]) -> Outcome:
    """Write the label, unless no service carries one of the parcels to the destination."""
    order, origin = event.data, settings.tariff().origin_country
    services = []
    for number, parcel in enumerate(order.parcels, 1):
        try:
            services.append(tariffs.service_for(parcel.weight_grams, order.shipping_address.country, origin))
        except tariffs.NoServiceError as error:
            raise Reject("no-service", f"parcel {number} weighs {error}") from None
    return labels.make(event, services)
