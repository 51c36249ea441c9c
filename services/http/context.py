"""What every resource needs of the running application, and how it answers.

Who comes in: the resources. Who goes out: the app's parts, the caller, JSON by orjson.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import orjson
from flask import Response, current_app, g

from services import intake
from services.bell import Bell
from services.bootstrap import Services
from services.errors import Forbidden
from services.groupcommit import GroupCommit
from services.keys import Caller
from services.recording import Parcel, Recorded

EXTENSION = "vigil"
WRITER = "vigil-writer"
BELL = "vigil-bell"


def parts() -> Services:
    """The parts that create_app was given."""
    return cast(Services, current_app.extensions[EXTENSION])


def store() -> intake.Store:
    """How events are stored: concurrent requests of this process share a commit."""
    writer: GroupCommit[Parcel, Recorded] = current_app.extensions[WRITER]
    return writer.put


def bell() -> Bell:
    """What says, after the commit, that streams have something to do."""
    return cast(Bell, current_app.extensions[BELL])


def caller() -> Caller:
    """Whose key it was; only behind the guard of auth.py."""
    return cast(Caller, g.caller)


def caller_or_none() -> Caller | None:
    """The same, where an endpoint may be open to nobody in particular."""
    return cast("Caller | None", g.get("caller"))


def actor(who: Caller) -> str:
    """The person of the key, else the key: what the audit and an action's `by` show."""
    return who.person or who.key_id


def person(who: Caller) -> str:
    """The person of the key: where two different persons are needed, two keys are not enough."""
    if who.person is None:
        raise Forbidden("This needs a key that names a person.")
    return who.person


def reply(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer; `body` is already in the contract's shape."""
    answer = Response(orjson.dumps(body), status=status, content_type="application/json")
    if headers:
        answer.headers.update(headers)
    return answer
