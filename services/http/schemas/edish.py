"""Where the highest liver values of a trial's subjects lie: the eDISH quadrants."""

from __future__ import annotations

from marshmallow import fields

from services.http.schemas.fields import Answer, one_of, page_of, time_out

QUADRANTS = ["hy", "temple", "cholestasis", "normal"]
UNPLACED = ["not_evaluated", "not_measured", "limits_missing"]
_LAWS = ["candidate", "cholestasis_unknown", "cholestatic", "limits_missing", "none"]


def _multiple(said: str) -> fields.Float:
    return fields.Float(required=True, allow_none=True, metadata={"description": said})


class LiverValue(Answer):
    """The highest value of a test in multiples of the upper limit told with it."""

    test = one_of(["alt", "ast", "bilirubin"], required=True)
    value = fields.Float(required=True)
    unit = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "the declared unit of the test's code, of value and limit"},
    )
    upper_limit = fields.Float(required=True)
    times_upper_limit = fields.Float(required=True)
    time = time_out(required=True)
    event = fields.String(required=True, allow_none=True)


class Placed(Answer):
    """Where one subject lies, as last evaluated."""

    subject = fields.String(required=True)
    site = fields.String(required=True, allow_none=True)
    quadrant = one_of(
        QUADRANTS,
        required=True,
        allow_none=True,
        metadata={"description": "null: it cannot be told, `unplaced` says why"},
    )
    unplaced = one_of(UNPLACED, required=True, allow_none=True)
    transaminase = fields.Nested(
        LiverValue,
        required=True,
        allow_none=True,
        metadata={"description": "null: none was told with its upper limit"},
    )
    bilirubin = fields.Nested(LiverValue, required=True, allow_none=True)
    transaminase_over_baseline = _multiple(
        "the highest multiple of a baseline above its limit; null where it was not, or is unknown"
    )
    bilirubin_over_baseline = _multiple("the same of bilirubin")
    limits_missing = fields.List(
        one_of(["alt", "ast", "bilirubin"]),
        required=True,
        metadata={"description": "tests of which a value was told without its upper limit"},
    )
    hys_law = one_of(
        _LAWS,
        required=True,
        allow_none=True,
        metadata={"description": "the tests together in time; null: unknown, or not asked"},
    )
    cholestasis = one_of(
        ["recorded", "excluded", "unknown"],
        required=True,
        allow_none=True,
        metadata={"description": "beside what fits Hy's law; null where nothing does"},
    )
    note = fields.String(
        required=True, allow_none=True, metadata={"description": "the values that it rests on"}
    )
    pending = fields.Integer(required=True, metadata={"description": "events that wait"})
    held = fields.Boolean(required=True)


class PlacedCounts(Answer):
    """How many subjects lie in each quadrant."""

    hy = fields.Integer(required=True)
    temple = fields.Integer(required=True)
    cholestasis = fields.Integer(required=True)
    normal = fields.Integer(required=True)
    not_known = fields.Integer(required=True, data_key="unknown", attribute="unknown")


class Edish(Answer):
    """One fact of quadrants over all subjects."""

    fact = fields.String(required=True)
    label = fields.String(required=True)
    transaminase_limit = fields.Float(
        required=True, metadata={"description": "in multiples of the upper limit; reached by >="}
    )
    bilirubin_limit = fields.Float(required=True)
    hys_law_fact = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "over the same tests; null where the protocol declares none"},
    )
    counts = fields.Nested(PlacedCounts, required=True)
    subjects = fields.List(fields.Nested(Placed), required=True)


class EdishPage(page_of(Edish, "_EdishPage")):  # type: ignore[misc]  # made by a function
    """Every fact of quadrants that the protocol in force declares."""

    as_of = time_out(required=True)
