"""A run's place in Slack: its thread, or the channel while there is none."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowNotFoundException
from airflow.sdk.log import mask_secret

from tradewind_airflow.notifications.message import Block, Message, escape
from tradewind_airflow.notifications.scrub import scrub
from tradewind_airflow.notifications.thread import Thread, read_thread, write_thread

if TYPE_CHECKING:
    from airflow.providers.slack.hooks.slack import SlackHook
    from slack_sdk.errors import SlackApiError

TOKEN_VARIABLE = "SLACK_TOKEN"  # noqa: S105 - the variable's name
CONNECTION = "slack_api_default"
"""`SlackHook.default_conn_name`: Slack's client is imported where a message goes out, not where a DAG is parsed."""
_TOKEN_CONN_ID = "tradewind_slack_token"  # noqa: S105
# Slack's own words: https://docs.slack.dev/reference/methods/chat.postMessage#errors
_FINAL = frozenset(
    {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "missing_scope",
     "channel_not_found", "not_in_channel", "is_archived", "invalid_blocks", "msg_too_long"}
)  # fmt: skip
_NO_TABLE = frozenset({"invalid_blocks", "invalid_attachments", "invalid_blocks_format"})
_NO_THREAD = frozenset(
    {"thread_not_found", "message_not_found", "cannot_reply_to_message", "channel_not_found", "is_archived"}
)
_MENTION = re.compile(r"<[!@#][^>]*>")
log = logging.getLogger(__name__)


def slack_is_configured(slack_conn_id: str) -> bool:
    """Whether a message can be sent: `SLACK_TOKEN`, or the Airflow connection."""
    if os.environ.get(TOKEN_VARIABLE):
        return True
    try:
        return bool(Connection.get(slack_conn_id).password)
    except AirflowNotFoundException:
        return False


def faults() -> tuple[type[Exception], ...]:
    """What the client raises where Slack refuses, is away, or a proxy answers in its place."""
    from slack_sdk.errors import SlackClientError

    return (SlackClientError, OSError, HTTPException)


@contextmanager
def told_to_task(channel: str) -> Iterator[None]:
    """A fault of Slack's as the end of a task, in one line.

    Raises:
        AirflowFailException: Slack refuses for a reason that a retry does not mend.
        AirflowException: Slack could not be reached, or still limits the rate after the retries.
    """
    from slack_sdk.errors import SlackApiError

    try:
        yield
    except SlackApiError as error:
        reason = str(error.response.get("error", "unknown"))
        kind = AirflowFailException if reason in _FINAL else AirflowException
        raise kind(f"Slack refused the message for '{channel}': {reason}{_needed(error)}") from None
    except faults() as error:
        raise AirflowException(f"Slack cannot be reached: {type(error).__name__}") from None


class SlackPlace:
    """Sends a run's messages; the first that goes out opens the run's thread.

    Args:
        run_dir: the run's folder, which keeps the thread.
        channel: where the first message goes.
        base_url: another address of Slack's API, for a proxy; a connection's extra `base_url` does the same.
        mention: the one mention that may go out.
        folders: places on the disk that no message may name.
    """

    def __init__(
        self,
        run_dir: Path,
        *,
        channel: str,
        slack_conn_id: str = CONNECTION,
        base_url: str | None = None,
        mention: str | None = None,
        folders: Iterable[str] = (),
    ) -> None:
        self.run_dir = run_dir
        self.channel = channel
        self.thread = read_thread(run_dir)
        self._slack_conn_id = slack_conn_id
        self._base_url = base_url
        self._mentions = (mention or "").split()
        self._folders = (str(run_dir), *folders)

    @cached_property
    def hook(self) -> SlackHook:
        """The provider's hook; a raw token is masked in every log and becomes a connection of this process.

        A 429 is retried after the time that Slack names; the provider alone would fail at once.
        """
        from airflow.providers.slack.hooks.slack import SlackHook
        from slack_sdk.http_retry.builtin_handlers import ConnectionErrorRetryHandler, RateLimitErrorRetryHandler

        token, conn_id = os.environ.get(TOKEN_VARIABLE), self._slack_conn_id
        if token:
            mask_secret(token)
            os.environ[f"AIRFLOW_CONN_{_TOKEN_CONN_ID.upper()}"] = json.dumps({"conn_type": "slack", "password": token})
            conn_id = _TOKEN_CONN_ID
        return SlackHook(
            slack_conn_id=conn_id,
            base_url=self._base_url,
            timeout=30,
            retry_handlers=[RateLimitErrorRetryHandler(max_retry_count=3), ConnectionErrorRetryHandler(2)],
        )

    def post(self, message: Message, *, broadcast: bool = False) -> None:
        """Send it; SlackApiError where Slack refuses, another of `faults` where it cannot be reached.

        Args:
            broadcast: show a reply in the channel, too.
        """
        from slack_sdk.errors import SlackApiError

        table = message.table.block() if message.table else None
        try:
            self._post(message.text, message.blocks, table, broadcast)
        except SlackApiError as error:
            reason = error.response.get("error")
            if table and reason in _NO_TABLE:
                log.info("Slack takes no table here (%s): it goes out as a code block", reason)
                self._post(message.text, message.with_code(), None, broadcast)
            elif self.thread is not None and reason in _NO_THREAD:
                log.warning("the run's thread is gone (%s): the message goes to %s", reason, self.channel)
                self.thread = None
                self.post(message)
            else:
                raise

    def share(self, picture: Path, title: str, seen: str) -> None:
        """Upload a picture into the thread; without it the message still stands, so a fault is told in the log only.

        Args:
            seen: what the picture shows, for who cannot see it.
        """
        from slack_sdk.errors import SlackApiError

        if self.thread is None or picture.is_symlink() or not picture.is_file():
            return
        upload = {"file": str(picture), "filename": picture.name, "title": self._clean(title), "alt_txt": seen}
        try:
            self.hook.send_file_v2(channel_id=self.thread.channel, thread_ts=self.thread.ts, file_uploads=upload)  # type: ignore[arg-type]
        except SlackApiError as error:
            log.warning("%s is not in Slack: %s%s", picture.name, error.response.get("error"), _needed(error))
        except faults() as error:
            log.warning("%s is not in Slack: %s", picture.name, type(error).__name__)

    def keep(self, **changes: Any) -> None:
        """Note what was told; nothing to note where nothing went out."""
        if self.thread is not None:
            self.thread = self.thread.model_copy(update=changes)
            write_thread(self.run_dir, self.thread)

    def _post(self, text: str, blocks: Iterable[Block], table: Block | None, broadcast: bool) -> None:
        call: dict[str, Any] = {
            "channel": self.channel,
            "username": "Tradewind",
            "text": self._clean(text),
            "blocks": json.dumps([self._clean(block) for block in blocks]),
            "unfurl_links": False,
            "unfurl_media": False,
        }
        if table is not None:
            call["attachments"] = json.dumps([{"blocks": [self._clean(table)]}])
        if self.thread is not None:
            call |= {"channel": self.thread.channel, "thread_ts": self.thread.ts, "reply_broadcast": broadcast}
        answer = self.hook.call("chat.postMessage", json=call)
        if self.thread is None:
            self.thread = Thread(channel=answer["channel"], ts=answer["ts"])
            write_thread(self.run_dir, self.thread)

    def _clean(self, value: Any, markup: bool = True) -> Any:
        """All that goes out passes here: no secret, no path, no mention but the one that was set."""
        if isinstance(value, dict):
            markup = value.get("type") not in ("plain_text", "raw_text")
            return {name: self._clean(inner, markup) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._clean(inner, markup) for inner in value]
        if not isinstance(value, str):
            return value
        text = scrub(value, self._folders)
        return _MENTION.sub(self._allowed, text) if markup else text

    def _allowed(self, mention: re.Match[str]) -> str:
        return mention[0] if mention[0] in self._mentions else escape(mention[0])


def _needed(error: SlackApiError) -> str:
    """The scope that the app lacks, where that is it."""
    scope = error.response.get("needed")
    return f"; give the Slack app the scope {scope}" if scope else ""
