"""The sandbox provider: no payment, no money moves. `fanout.payments.SandboxProvider` documents the test amounts."""

from fanout import payments
from order_workflow.asking import Asking

NAME = payments.SandboxProvider.name


class SandboxProvider(Asking):
    """See the module."""

    def __init__(self) -> None:
        super().__init__(payments.SandboxProvider())
