"""What a user did wrong or must repair: one line, without a traceback."""


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
