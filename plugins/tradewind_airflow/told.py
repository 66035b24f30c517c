"""A fault of the package's as the end of a task: one line, and a retry only where it can help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from tradewind.errors import TemporaryError, UserError
from tradewind.faults import told_to_user


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """One line for what a user can mend; a retry for what passes by itself.

    Args:
        folder: where the block writes, for an error that does not say.

    Raises:
        AirflowFailException: no retry can mend it.
        AirflowException: a retry may.
    """
    try:
        yield
    except TemporaryError as error:
        raise AirflowException(str(error)) from error
    except (UserError, OSError) as error:
        line = told_to_user(error, folder)
        if line is None:
            raise
        raise AirflowFailException(str(line)) from error
