"""What the person in front of the terminal can mend."""


class EngineError(Exception):
    """A start or stop that cannot be done; the message names the reason and the next step."""
