"""Mistakes and failures that a person can do something about: shown as a message, never as a traceback."""


class UserError(Exception):
    """Something failed or is missing (exit code 1).

    problem: what is wrong, naming the input. next_step: what to do about it.
    """

    exit_code = 1

    def __init__(self, problem: str, next_step: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.next_step = next_step


class UsageError(UserError):
    """The command was called in a way that cannot work (exit code 2)."""

    exit_code = 2
