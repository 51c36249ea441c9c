"""Webhooks: one signed POST, within 15 seconds, to a checked address, following nothing.

Who comes in: delivery. Who goes out: a request of Standard Webhooks, and an `Answer`. A line may
serve several requests; where a kept one turns out to be dead, the request goes over a new one.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from standardwebhooks.webhooks import Webhook

from services import clock
from services.channels import Answer, Message, Outcome
from services.channels.address import AddressError, Place, Reach, parse
from services.channels.deadline import TIMEOUT_S, Deadline
from services.channels.lines import Line, Lines, UnreachableError

# A wish for more than this is cut: the schedule itself never waits longer.
LONGEST_WISH_S = 86_400.0
OWN_HEADERS = frozenset(
    {"host", "content-type", "content-length", "transfer-encoding", "connection", "user-agent"}
    | {"webhook-id", "webhook-timestamp", "webhook-signature"}
)


# A kept line on which nothing is answered any more.
_DEAD_LINE = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
# An answer's body is read off the line if it is short and there already: then the line is kept.
_SHORT = 16_384
_BODY_S = 0.1


class WebhookChannel:
    """The channel of kind `webhook`."""

    def __init__(self, reach: Reach, timeout_s: float = TIMEOUT_S) -> None:
        """`reach` says which addresses are allowed."""
        self._timeout_s = timeout_s
        # Trusts the system's authorities; SSL_CERT_FILE and SSL_CERT_DIR name others.
        self._lines = Lines(reach, ssl.create_default_context())

    def send(
        self, target: Mapping[str, object], secrets: Sequence[str], message: Message
    ) -> Answer:
        """POST `message.body` to `target["url"]`, signed with every one of `secrets`."""
        with closing(Deadline(self._timeout_s)) as deadline:
            try:
                place = parse(str(target["url"]))
                headers = _headers(target, place, message, secrets)
                return self._attempt(place, headers, message, deadline)
            except AddressError as error:
                return Answer(error.outcome)
            except (http.client.HTTPException, OSError, ValueError) as error:
                return Answer(_reason(error, deadline))

    def _attempt(
        self, place: Place, headers: Mapping[str, str], message: Message, deadline: Deadline
    ) -> Answer:
        """Over a kept line, if there is one, else or if that is dead over a new one."""
        kept = self._lines.take(place)
        if kept is not None:
            with suppress(*_DEAD_LINE):
                return self._post(kept, place, headers, message, deadline)
            if deadline.over():
                raise TimeoutError
        line = self._lines.open(place, deadline)
        return self._post(line, place, headers, message, deadline)

    def _post(
        self,
        line: Line,
        place: Place,
        headers: Mapping[str, str],
        message: Message,
        deadline: Deadline,
    ) -> Answer:
        """One request; of the answer only the status and `Retry-After` are looked at.

        A kept line was opened for another subscription of that host: the path is `place`'s.
        """
        keep = False
        try:
            deadline.watch(line.sock)
            line.request("POST", place.path, body=message.body, headers=headers)
            with closing(line.getresponse()) as response:
                if deadline.passed:  # the cut line looks like the end of the headers
                    raise TimeoutError
                answer = _judge(response.status, response.getheader("retry-after"), message.at_us)
                keep = _read_off(response, line)
            return answer
        finally:
            deadline.leave()
            if keep and not deadline.passed:
                self._lines.keep(line)
            else:
                line.close()


def _read_off(response: http.client.HTTPResponse, line: Line) -> bool:
    """Whether the line is as good as new; nobody waits for a body that comes slowly."""
    if response.status == http.HTTPStatus.SWITCHING_PROTOCOLS or response.will_close:
        return False
    if response.length is None or response.length > _SHORT:
        return False
    left = response.length
    line.sock.settimeout(_BODY_S)
    with suppress(OSError, http.client.HTTPException):
        for _ in range(2):
            left -= len(response.read1(left)) if left else 0
        return left == 0
    return False


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
        "content-type": "application/json",
        **signatures(message, secrets),
    }


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
    if deadline.passed or isinstance(error, TimeoutError):
        return Outcome.TIMED_OUT
    if isinstance(error, UnreachableError):
        return Outcome.UNREACHABLE
    if isinstance(error, ssl.SSLError) and not isinstance(error, _DEAD_LINE):
        return Outcome.TLS_FAILED
    return Outcome.BROKEN_OFF
