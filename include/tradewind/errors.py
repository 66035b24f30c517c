"""What a user did wrong or must repair: one line, without a traceback."""


class UserError(Exception):
    """A fault the user can mend. Its text names the file, the place in it and what to do.

    The command line prints it as one line and exits with `exit_code`.
    """

    exit_code = 2


class RunDirBusyError(UserError):
    """Another live process writes into this run directory (exit code 75, `EX_TEMPFAIL`: try later)."""

    exit_code = 75
