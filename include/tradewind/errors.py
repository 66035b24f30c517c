"""What a user did wrong or must repair: one line, without a traceback."""

from __future__ import annotations


class UserError(Exception):
    """A fault the user can mend. Its text names the file, the place in it and what to do.

    The command line prints it as one line and exits with `exit_code`.
    """

    exit_code = 2


class TemporaryError(UserError):
    """Nothing to mend: the same command may succeed later (`EX_TEMPFAIL` of sysexits.h)."""

    exit_code = 75


class RunDirBusyError(TemporaryError):
    """Another live process writes into this run directory."""


class GpuBusyError(UserError):
    """Another process holds a GPU that this one was to use (`EX_UNAVAILABLE`): try another GPU."""

    exit_code = 69


def without_secret(text: str, secret: str) -> str:
    """What somebody else wrote, such as a server's error, without the secret that it may repeat.

    To be called before the text is cut: a part of a secret would not be found any more.
    """
    return text.replace(secret, "[secret]") if secret else text
