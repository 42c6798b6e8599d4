"""The payment provider behind HTTP, with its URL and key from a secret."""

import settings
from asking import Asking
from fanout import payments

NAME = payments.HttpProvider.name


class HttpProvider(Asking):
    """See `fanout.payments.HttpProvider`."""

    def __init__(self, secret_arn: str) -> None:
        on_loopback = settings.payment().payment_provider_on_loopback
        super().__init__(payments.HttpProvider(secret_arn, on_loopback=on_loopback))
