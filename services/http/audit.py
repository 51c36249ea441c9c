"""The audit: who did what.

Who comes in: ops, without the details, which may hold a person's words; admins. A key of some
trials sees the chains of their streams; keys, protocols and subscriptions are on the chain of
administration, which only a key of all trials sees. Who goes out: services/reading.
"""

from __future__ import annotations

from typing import Any

from flask import Response

from services.http import auth
from services.http.context import caller, parts, reply
from services.http.openapi import Blueprint
from services.http.schemas.audit import AuditPage, AuditQuery
from services.reading import audit as reading

blueprint = Blueprint("audit", __name__, description="Who did what")


@blueprint.route("/v1/audit")
@blueprint.arguments(AuditQuery, location="query")
@blueprint.answers(200, AuditPage, 422)
def listed(query: dict[str, Any]) -> Response:
    """Entries of the hash-chained record, the newest first, each held against its neighbours."""
    who = caller()
    wanted = reading.Wanted(
        trials=auth.within(who, None),
        chain=query.get("chain"),
        actor=query.get("actor"),
        action=query.get("action"),
        object=query.get("object"),
        since_us=query.get("since"),
    )
    details = auth.sees_values(who)
    with parts().database.reading() as conn:
        return reply(
            reading.listed(conn, wanted, query.get("cursor"), query["limit"], details=details)
        )
