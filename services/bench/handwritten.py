"""The flagship's sixteen criteria as somebody would write them by hand: what generality costs.

Who comes in: the benchmark. Who goes out: verdicts and the decision, and nothing else: no missing
list, no evidence. Facts that are not known are absent; None is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Truth = bool | None


def verdicts(facts: Mapping[str, Any]) -> tuple[dict[str, Truth], str]:
    """Each criterion's verdict, and the decision."""
    get = facts.get
    age, sex, ecog, course = get("age_years"), get("sex"), get("ecog"), get("cgvhd_course")
    heat, pressure, nyha = get("body_temperature"), get("diastolic_bp"), get("nyha_class")
    test, hiv = get("pregnancy_test"), get("hiv_status")
    in_age = None if age is None else 1 <= age <= 80
    held: dict[str, Truth] = {
        "I1": in_age,
        "I2": _all(
            get("cgvhd"),
            get("allogeneic_hsct"),
            None
            if course is None
            else course in ("no_improvement_4_weeks", "worsening_2_weeks", "worsening_on_taper"),
        ),
        "I3": None if ecog is None else ecog in (0, 1, 2),
        "I4": get("survival_over_3_months"),
        "I5": _not(get("acute_infection")),
        "I6": _not(get("associated_tumour")),
        "I7": _consent(age, get),
        "E1": _pregnancy(test, get) if sex != "male" else False,
        "E2": _any(
            get("unknown_active_infection"),
            None if heat is None else heat >= 38,
            get("bacterial_infection"),
            get("fungal_infection"),
        ),
        "E3": _not(in_age),
        "E4": None if ecog is None else ecog in (3, 4),
        "E5": _any(
            None if hiv is None else hiv == "positive",
            get("uncontrolled_hypertension"),
            None if pressure is None else pressure > 115,
            get("unstable_angina"),
            _all(get("heart_failure"), None if nyha is None else nyha >= 2),
            get("severe_diabetes"),
            get("coronary_angioplasty"),
            get("myocardial_infarction"),
            get("arrhythmia"),
            _all(get("other_non_malignant_disease"), get("other_disease_excludes")),
        ),
        "E6": _all(
            _any(get("mental_disorder"), get("drug_addiction")), get("disorder_affects_study")
        ),
        "E7": get("other_trial"),
        "E8": get("unfit"),
        "E9": get("other_serious_condition"),
    }
    return held, _decision(held)


def _consent(age: int | None, get: Any) -> Truth:
    """Who must have consented follows from the age; without it only if all or none did."""
    guardian = get("consent_guardian")
    assent = get("assent_subject")
    own = get("consent_subject")
    if age is not None:
        return guardian if age < 5 else assent if age < 13 else own  # type: ignore[no-any-return]
    return False if guardian is assent is own is False else None


def _pregnancy(test: str | None, get: Any) -> Truth:
    return _any(
        None if test is None else test == "positive",
        get("breastfeeding"),
        _all(get("childbearing_potential"), _not(get("contraception_adequate"))),
    )


def _decision(held: Mapping[str, Truth]) -> str:
    open_still = False
    for name, verdict in held.items():
        if verdict is None:
            open_still = True
        elif verdict is (name[0] == "E"):
            return "ineligible"
    return "indeterminate" if open_still else "eligible"


def _all(*parts: Truth) -> Truth:
    return False if False in parts else None if None in parts else True


def _any(*parts: Truth) -> Truth:
    return True if True in parts else None if None in parts else False


def _not(part: Truth) -> Truth:
    return None if part is None else not part
