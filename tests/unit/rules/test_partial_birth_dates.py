"""A partial birth date is enough where no condition of the protocol could tell the difference."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

import rules
from rules.facts.calendar import completed_years
from rules.facts.timeline import Timeline
from rules.plan import Plan

FLAGSHIP = Path(__file__).parents[3] / "rules" / "protocols" / "msc-cgvhd.yaml"
LIMITS = (1, 5, 13, 81)  # a verdict or an alert changes on these birthdays


@pytest.fixture(scope="module")
def plan() -> Plan:
    return Plan(rules.load(FLAGSHIP))


def age_on(plan: Plan, birth_date: str, day: date) -> object:
    """The flagship's `age_years` at noon of a day, of somebody born then."""
    noon = plan.calendar.midnight(day) + 12 * 3_600_000_000
    told = rules.Event(
        1, "e", "s", "i", "demographics", noon, "second", noon, {"birth_date": birth_date}
    )
    timeline = Timeline({}, {})
    for source, record in plan.reader.records(told):
        timeline.insert(source, record)
    return plan.read["age_years"](timeline, noon, noon).value


def ages_of_year(year: int, day: date) -> set[int]:
    """Every age that somebody born in that year may have."""
    born = [date(year, 1, 1) + timedelta(days=n) for n in range(365)]
    return {completed_years(one, day) for one in born if one <= day}


@pytest.mark.parametrize("day", [date(2026, 1, 1), date(2026, 3, 2), date(2026, 12, 31)])
def test_a_birth_year_is_known_exactly_where_no_limit_lies_between_its_ages(
    plan: Plan, day: date
) -> None:
    for year in range(1925, 2026):
        ages = ages_of_year(year, day)
        parted = any(min(ages) < limit <= max(ages) for limit in LIMITS)
        known = age_on(plan, str(year), day)
        assert known is None if parted else known in ages, year


def test_a_whole_birth_date_is_its_age(plan: Plan) -> None:
    assert age_on(plan, "1980-03-03", date(2026, 3, 2)) == 45
    assert age_on(plan, "1980-03-02", date(2026, 3, 2)) == 46
