"""Subjects: who they are to the trial, what happened, and whether they are eligible.

Who comes in: clinicians and admins. Who goes out: services/reading.
"""

from __future__ import annotations

from typing import Any

from flask import Response

import rules
from services.clock import now_us
from services.errors import NotFound
from services.http.context import parts, reply
from services.http.openapi import Blueprint
from services.http.schemas.fields import PageQuery
from services.http.schemas.subjects import (
    AdverseEvents,
    AsOfQuery,
    Eligibility,
    ExplainedEligibility,
    Gate,
    LaboratorySeries,
    Subject,
    SubjectPage,
    SubjectResponse,
    SubjectsQuery,
    SubjectWorklist,
    TimelinePage,
    WorklistPage,
)
from services.reading import adverse, events, subjects, trials, worklists
from services.reading import eligibility as eligibilities
from services.reading import gate as gates
from services.reading import laboratory as laboratories
from services.reading import response as responses

blueprint = Blueprint("subjects", __name__, description="Subjects and their eligibility")
BASE = "/v1/trials/<name:trial>/subjects"
NO_SUBJECT = "There is no such subject in this trial."


@blueprint.route(BASE)
@blueprint.arguments(SubjectsQuery, location="query")
@blueprint.answers(200, SubjectPage, 404, 422)
def listed(query: dict[str, Any], trial: str) -> Response:
    """The subjects of a trial by name."""
    with parts().database.reading() as conn:
        if not trials.exists(conn, trial):
            raise NotFound("There is no such trial.")
        return reply(
            subjects.listed(
                conn,
                trial,
                status=query.get("status"),
                q=query.get("q"),
                cursor=query.get("cursor"),
                limit=query["limit"],
            )
        )


@blueprint.route(f"{BASE}/<name:subject>")
@blueprint.answers(200, Subject, 404)
def one(trial: str, subject: str) -> Response:
    """One subject at a glance."""
    with parts().database.reading() as conn:
        found = subjects.one(conn, trial, subject)
    return reply(_existing(found))


@blueprint.route(f"{BASE}/<name:subject>/timeline")
@blueprint.arguments(PageQuery, location="query")
@blueprint.answers(200, TimelinePage, 404, 422)
def timeline(query: dict[str, Any], trial: str, subject: str) -> Response:
    """What was received about a subject, in order of receipt."""
    with parts().database.reading() as conn:
        found = events.timeline(conn, trial, subject, query.get("cursor"), query["limit"])
    return reply(_existing(found))


@blueprint.route(f"{BASE}/<name:subject>/eligibility")
@blueprint.arguments(AsOfQuery, location="query")
@blueprint.answers(200, Eligibility, 404, 422)
def eligibility(query: dict[str, Any], trial: str, subject: str) -> Response:
    """Every criterion with its verdict, its evidence and what is missing.

    With `as_of`: from the events received up to then, evaluated at that time.
    """
    with parts().database.reading() as conn:
        found = eligibilities.of_subject(conn, trial, subject, query.get("as_of"), now_us())
    return reply(_existing(found))


@blueprint.route(f"{BASE}/<name:subject>/explanation")
@blueprint.arguments(AsOfQuery, location="query")
@blueprint.answers(200, ExplainedEligibility, 404, 422)
def explanation(query: dict[str, Any], trial: str, subject: str) -> Response:
    """The eligibility with the reason of each verdict, and what would change the decision.

    With `as_of`: from the events received up to then, evaluated at that time.
    """
    with parts().database.reading() as conn:
        found = eligibilities.of_subject(
            conn, trial, subject, query.get("as_of"), now_us(), rules.Engine.explanation
        )
    return reply(_existing(found))


@blueprint.route(f"{BASE}/<name:subject>/gate")
@blueprint.arguments(AsOfQuery, location="query")
@blueprint.answers(200, Gate, 404, 422)
def gate(query: dict[str, Any], trial: str, subject: str) -> Response:
    """Whether the subject may be infused: every item of the gate, and what holds the trial.

    With `as_of`: from the events received up to then, evaluated at that time.
    """
    with parts().database.reading() as conn:
        found = gates.of_subject(conn, trial, subject, query.get("as_of"), now_us())
    return reply(_existing(found))


@blueprint.route(f"{BASE}/<name:subject>/worklist")
@blueprint.arguments(AsOfQuery, location="query")
@blueprint.answers(200, SubjectWorklist, 404, 422)
def worklist(query: dict[str, Any], trial: str, subject: str) -> Response:
    """The missing data that can still change the decision, most decisive first.

    With `as_of`: from the events received up to then, evaluated at that time.
    """
    with parts().database.reading() as conn:
        found = worklists.of_subject(conn, trial, subject, query.get("as_of"), now_us())
    return reply(_existing(found))


@blueprint.route(f"{BASE}/<name:subject>/laboratory")
@blueprint.answers(200, LaboratorySeries, 404)
def laboratory(trial: str, subject: str) -> Response:
    """Every laboratory series, each value with its CTCAE grade and its change from baseline.

    The baseline is the last value at or before the first infusion. `grade` is the worst that the
    value allows; `min` and `max` differ where symptoms decide; null: it cannot be graded.
    """
    with parts().database.reading() as conn:
        found = laboratories.of_subject(conn, trial, subject)
    return reply(_existing(found))


@blueprint.route(f"{BASE}/<name:subject>/adverse-events")
@blueprint.answers(200, AdverseEvents, 404)
def adverse_events(trial: str, subject: str) -> Response:
    """Every adverse event: what is known, what follows from it, what each report changed.

    `follows` holds what the rules see: seriousness, suspicion, expectedness and the like; null is
    unknown. The history is in order of receipt.
    """
    with parts().database.reading() as conn:
        found = adverse.of_subject(conn, trial, subject)
    return reply(_existing(found))


@blueprint.route(f"{BASE}/<name:subject>/response")
@blueprint.answers(200, SubjectResponse, 404)
def response(trial: str, subject: str) -> Response:
    """What each clinical function of the protocol says, of what; null is unknown.

    `rates`: as what the subject counts in the trial's response rates.
    """
    with parts().database.reading() as conn:
        found = responses.of_subject(conn, trial, subject)
    return reply(_existing(found))


@blueprint.route("/v1/trials/<name:trial>/worklist")
@blueprint.arguments(PageQuery, location="query")
@blueprint.answers(200, WorklistPage, 404, 422)
def trial_worklist(query: dict[str, Any], trial: str) -> Response:
    """The same of all subjects in screening, by subject, as last evaluated.

    Beside them, of every subject, the corrections whose target has not been received.
    """
    with parts().database.reading() as conn:
        if not trials.exists(conn, trial):
            raise NotFound("There is no such trial.")
        return reply(worklists.of_trial(conn, trial, query.get("cursor"), query["limit"]))


def _existing(found: dict[str, Any] | None) -> dict[str, Any]:
    if found is None:
        raise NotFound(NO_SUBJECT)
    return found
