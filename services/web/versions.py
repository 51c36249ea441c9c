"""Protocol versions: to be read and compared, backtested and put in force; who must consent again.

Who comes in: whoever signed in reads; admins backtest and activate; those who see values see what a
backtest found. Who goes out: services/reading, services/backtests, services/protocols.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from flask import Response, request
from markupsafe import Markup
from sqlalchemy import Connection

import rules
from services import backtests, protocols
from services.clock import now_us, to_us
from services.errors import NotFound, Problem, Rejected
from services.http.context import actor, caller, parts
from services.reading import amendments, engines, inbox, trials
from services.reading.pages import Json
from services.web.blueprint import page, pages
from services.web.trials import existing

_A_PAGE = 100
_FIELDS = ("approved_by", "backtest", "effective_from")
_NOTHING: Mapping[str, str] = dict.fromkeys(_FIELDS, "")


@pages.get("/trials/<name:trial>/protocol", defaults={"version": None})
@pages.get("/trials/<name:trial>/protocol/<name:version>")
def protocol(trial: str, version: str | None) -> Response:
    """A version as a person reads it; without one named the one in force."""
    return _shown(trial, version)


def _shown(
    trial: str,
    version: str | None,
    problems: Sequence[Problem] = (),
    given: Mapping[str, str] = _NOTHING,
) -> Response:
    with parts().database.reading() as conn:
        found = existing(conn, trial)
        wanted = version or found["active_version"]
        text = engines.version(conn, trial, wanted) if wanted else None
        if text is None:
            raise NotFound("There is no such version.")
        known = trials.versions(conn, trial)["items"]
        return page(
            "protocol.html",
            status=422 if problems else 200,
            trial=found,
            versions=known,
            shown=next(item for item in known if item["version"] == wanted),
            definition=text.definition,
            changes=_changes(conn, trial, text, known),
            backtests=_of_version(conn, trial, text.version),
            problems=problems,
            given=given,
            # Escaped where it is made; what it holds are headings, lists and text.
            sections=Markup(rules.as_sections(text)),  # noqa: S704
        )


def _changes(
    conn: Connection, trial: str, text: rules.Protocol, known: Sequence[Json]
) -> Json | None:
    """What the version changes of the one it amends, else of the one that is in force."""
    amends = text.definition.amends
    before = amends.version if amends is not None else None
    if before not in {item["version"] for item in known}:
        before = next((item["version"] for item in known if item["status"] == "active"), None)
    if before is None or before == text.version:
        return None
    return amendments.diff(conn, trial, text.version, before)


def _of_version(conn: Connection, trial: str, version: str) -> list[Json]:
    found: list[Json] = amendments.backtests(conn, trial)["items"]
    return [item for item in found if item["version"] == version]


@pages.post("/trials/<name:trial>/protocol/<name:version>/backtest")
def backtest(trial: str, version: str) -> Response:
    """Make a backtest; its page says how far it is."""
    services = parts()
    made = backtests.make(services.database, trial, version, actor(caller()), now_us())
    services.broker.ring_maintenance([made.id])
    return _to(f"/trials/{trial}/backtests/{made.id}")


@pages.post("/trials/<name:trial>/protocol/<name:version>/activate")
def activate(trial: str, version: str) -> Response:
    """Put a version in force; what keeps it from that is said beside the form."""
    services = parts()
    given = {name: request.form.get(name, "").replace("\x00", "").strip()[:200] for name in _FIELDS}
    try:
        outcome = protocols.activate(
            services.database,
            trial,
            version,
            approved_by=given["approved_by"] or None,
            backtest=given["backtest"] or None,
            effective_from_us=_instant(given["effective_from"]),
            by=actor(caller()),
            now_us=now_us(),
        )
    except Rejected as refused:
        return _shown(trial, version, refused.problems, given)
    services.broker.ring_evaluate(outcome.dirty)
    return _to(f"/trials/{trial}/protocol/{version}")


def _instant(text: str) -> int | None:
    """The time of a form; empty is now. Raises Rejected."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        hint = "e.g. 2026-03-02T08:15+09:00"
        raise Rejected([Problem("/effective_from", "must be a time with an offset", hint)])
    return to_us(moment)


def _to(path: str) -> Response:
    return Response(status=303, headers={"Location": path})


@pages.get("/trials/<name:trial>/backtests/<name:backtest>")
def found(trial: str, backtest: str) -> Response:
    """What a backtest found, subject by subject."""
    with parts().database.reading() as conn:
        item = amendments.backtest(conn, trial, backtest)
        whole = existing(conn, trial)
        zone = inbox.places(conn, (trial,))[trial].zone
    result = item["result"] or {"subjects": [], "trial": None}
    shown = [*result["subjects"], *([result["trial"]] if result["trial"] else [])]
    return page("backtest.html", trial=whole, zone=zone, item=item, shown=shown)


@pages.get("/trials/<name:trial>/reconsent")
def reconsent(trial: str) -> Response:
    """Who must consent to a major amendment, since when and until when."""
    with parts().database.reading() as conn:
        whole = existing(conn, trial)
        zone = inbox.places(conn, (trial,))[trial].zone
        cursor = request.args.get("cursor")
        owed = amendments.reconsent(conn, trial, cursor, _A_PAGE, now_us())
    return page("reconsent.html", trial=whole, zone=zone, found=owed)
