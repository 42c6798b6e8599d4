"""The sandbox provider: no payment, no money moves. `fanout.payments.SandboxProvider` documents the test amounts."""

from asking import Asking
from fanout import payments

NAME = payments.SandboxProvider.name


class SandboxProvider(Asking):
    """See the module."""

    def __init__(self) -> None:
        super().__init__(payments.SandboxProvider())
