"""Errors that the user can act on."""


class EngineError(Exception):
    """A start or stop that failed; the message names the reason and the next step."""
