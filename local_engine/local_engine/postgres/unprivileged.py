"""Run a program of PostgreSQL for root: `python unprivileged.py PROGRAM ARGUMENTS...`

PostgreSQL refuses to run as root. Another user may neither enter root's folders nor read their files, and opening
them to every user, or creating a user, would change the developer's machine. So the program runs as `nobody`, who owns
the data, with the one capability it takes to pass folders that are not nobody's. Linux only, and with what every
container's root has: https://man7.org/linux/man-pages/man7/capabilities.7.html
"""

import ctypes
import os
import pwd
import struct
import sys

USER = "nobody"

_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_VERSION_3 = 0x20080522


def main() -> None:
    """Become the other user and the program. Ends with a message if the system does not let us."""
    libc = ctypes.CDLL(None, use_errno=True)
    user = pwd.getpwnam(USER)
    only = 1 << _CAP_DAC_OVERRIDE
    try:
        _check(libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))
        os.setgroups([])
        os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
        # Effective, permitted and inheritable sets; then the same for the capabilities from number 32 on.
        sets = struct.pack("IIIIII", only, only, only, 0, 0, 0)
        _check(libc.capset(struct.pack("Ii", _VERSION_3, 0), sets))
        _check(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0))
    except OSError as error:
        sys.exit(f"root cannot start it as {USER} here: {error.strerror}")
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - the caller's own argument list


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main()
