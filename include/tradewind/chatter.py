"""What libraries say that is not for the user: kept out of every process's log."""

from __future__ import annotations

import logging
import warnings


def quiet_libraries() -> None:
    """Lower the voice of those that tell of requests and of themselves; before they are imported."""
    for chatty in ("accelerate", "sentence_transformers", "httpx", "httpx2"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # Which says on import, wherever it is installed, that a kernel could be had from the network.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    # What transformers and trl tell each other is not the user's to mend.
    warnings.filterwarnings("ignore", category=FutureWarning)
