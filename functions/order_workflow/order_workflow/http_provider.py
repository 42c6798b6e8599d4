"""The payment provider behind HTTP, with its URL and key from a secret."""

from fanout import payments
from order_workflow import settings
from order_workflow.asking import Asking

NAME = payments.HttpProvider.name


class HttpProvider(Asking):
    """See `fanout.payments.HttpProvider`."""

    def __init__(self, secret_arn: str) -> None:
        on_loopback = settings.payment().payment_provider_on_loopback
        super().__init__(payments.HttpProvider(secret_arn, on_loopback=on_loopback))
