"""Change code that upstream keeps as text: what its worker processes run."""


def replace_once(text: str, old: str, new: str) -> str:
    """Replace the one occurrence. Raises RuntimeError if there is not exactly one: upstream has changed."""
    if text.count(old) != 1:
        raise RuntimeError(f"ministack has changed: {text.count(old)} times {old!r} where there was one")
    return text.replace(old, new)
