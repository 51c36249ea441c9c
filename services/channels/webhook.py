"""Webhooks: one signed POST, within 15 seconds, to a checked address, following nothing.

Who comes in: delivery. Who goes out: a request of Standard Webhooks, and an `Answer`. Every
attempt makes its own connection: the address is judged anew, a half-dead line is never reused.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from standardwebhooks.webhooks import Webhook
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError

from services import clock
from services.channels import Answer, Message, Outcome
from services.channels.address import AddressError, Place, Reach, parse, resolve
from services.channels.deadline import CONNECT_S, TIMEOUT_S, Deadline

# A wish for more than this is cut: the schedule itself never waits longer.
LONGEST_WISH_S = 86_400.0
OWN_HEADERS = frozenset(
    {"host", "content-type", "content-length", "transfer-encoding", "connection", "user-agent"}
    | {"webhook-id", "webhook-timestamp", "webhook-signature"}
)


class WebhookChannel:
    """The channel of kind `webhook`."""

    def __init__(self, reach: Reach, timeout_s: float = TIMEOUT_S) -> None:
        """`reach` says which addresses are allowed."""
        self._reach = reach
        self._timeout_s = timeout_s
        self._tls = ssl.create_default_context()

    def send(
        self, target: Mapping[str, object], secrets: Sequence[str], message: Message
    ) -> Answer:
        """POST `message.body` to `target["url"]`, signed with every one of `secrets`."""
        with closing(Deadline(self._timeout_s)) as deadline:
            try:
                place = parse(str(target["url"]))
                address = resolve(place, self._reach)
            except AddressError as error:
                return Answer(error.outcome)
            try:
                with closing(self._connection(place, address, deadline)) as connection:
                    return _post(
                        connection,
                        place,
                        _headers(target, place, message, secrets),
                        message,
                        deadline,
                    )
            except (HTTPError, http.client.HTTPException, OSError, ValueError) as error:
                return Answer(_reason(error, deadline))

    def _connection(self, place: Place, address: str, deadline: Deadline) -> HTTPConnection:
        """A connection to `address`; over TLS the certificate must still be the name's."""
        timeout_s = min(CONNECT_S, deadline.left_s())
        if place.scheme == "http":
            return HTTPConnection(address, place.port, timeout=timeout_s)
        return HTTPSConnection(
            address,
            place.port,
            timeout=timeout_s,
            ssl_context=self._tls,
            server_hostname=place.host,
        )


def signatures(message: Message, secrets: Sequence[str]) -> dict[str, str]:
    """The headers of Standard Webhooks; two secrets (one being retired) give two signatures."""
    seconds = message.at_us // clock.SECOND_US
    at, text = datetime.fromtimestamp(seconds, tz=UTC), message.body.decode()
    return {
        "webhook-id": message.id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(
            Webhook(secret).sign(message.id, at, text) for secret in secrets
        ),
    }


def _headers(
    target: Mapping[str, object], place: Place, message: Message, secrets: Sequence[str]
) -> dict[str, str]:
    """The subscriber's headers under ours: theirs can add, never replace."""
    theirs = target.get("headers")
    extra = (
        {str(name): str(text) for name, text in theirs.items()}
        if isinstance(theirs, Mapping)
        else {}
    )
    return {
        **{name: text for name, text in extra.items() if name.lower() not in OWN_HEADERS},
        "host": place.host_header,
        "user-agent": "vigil-webhook",
        "connection": "close",
        "content-type": "application/json",
        **signatures(message, secrets),
    }


def _post(
    connection: HTTPConnection,
    place: Place,
    headers: Mapping[str, str],
    message: Message,
    deadline: Deadline,
) -> Answer:
    """One request; of the answer only the status and `Retry-After` are read, never the body."""
    connection.connect()
    deadline.watch(connection.sock)
    connection.request(
        "POST", place.path, body=message.body, headers=headers, preload_content=False
    )
    response = connection.getresponse()
    if deadline.passed:  # the cut line looks like the end of the headers
        return Answer(Outcome.TIMED_OUT)
    return _judge(response.status, response.headers.get("retry-after"), message.at_us)


def _judge(status: int, wish: str | None, now_us: int) -> Answer:
    if 200 <= status < 300:
        return Answer(Outcome.DELIVERED, status)
    if status == http.client.GONE:
        return Answer(Outcome.GONE, status)
    if 300 <= status < 400:
        return Answer(Outcome.REDIRECTED, status)
    return Answer(Outcome.REFUSED, status, _wish_s(wish, now_us))


def _wish_s(text: str | None, now_us: int) -> float | None:
    """`Retry-After` in seconds: a number, or a date as HTTP writes them; else no wish."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return min(float(text), LONGEST_WISH_S)
    # A year or a zone beyond every calendar is an OverflowError.
    with suppress(ValueError, OverflowError):
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is not None:
            return min(max((clock.to_us(moment) - now_us) / clock.SECOND_US, 0.0), LONGEST_WISH_S)
    return None


def _reason(error: Exception, deadline: Deadline) -> Outcome:
    """The outcome that an exception of the line stands for."""
    if deadline.passed or isinstance(error, TimeoutError | ConnectTimeoutError):
        return Outcome.TIMED_OUT
    if isinstance(error, ssl.SSLError):
        return Outcome.TLS_FAILED
    if isinstance(error, HTTPError):  # raised by urllib3 only while it connects
        return Outcome.UNREACHABLE
    return Outcome.BROKEN_OFF
