"""The flagship read a second time, by hand, in plain Python: the tests' independent oracle.

Who comes in: property tests, with partial sets of facts. Who goes out: verdicts and rule ids.
Written from the registry record and the list of alert rules, never from `rules/` or its YAML:
True, False or None (unknown), as Kleene has it. An absent key is an unknown fact.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Facts = Mapping[str, Any]
Truth = bool | None

WAYS_IN = ("no_improvement_4_weeks", "worsening_2_weeks", "worsening_on_taper")
SUSPECTED = ("related", "probable", "possible")
INFECTIONS_24H = (
    "acute_infection_24h",
    "bacterial_infection_24h",
    "fungal_infection_24h",
    "unknown_infection_24h",
)


def every(*truths: Truth) -> Truth:
    """False if one is false, else unknown if one is, else true."""
    if any(truth is False for truth in truths):
        return False
    return None if any(truth is None for truth in truths) else True


def some(*truths: Truth) -> Truth:
    """True if one is true, else unknown if one is, else false."""
    if any(truth is True for truth in truths):
        return True
    return None if any(truth is None for truth in truths) else False


def opposite(truth: Truth) -> Truth:
    """Unknown stays unknown."""
    return None if truth is None else not truth


def among(value: Any, *values: Any) -> Truth:
    """Whether a known value is one of these."""
    return None if value is None else value in values


def at_least(value: Any, limit: float) -> Truth:
    """Whether a known number reaches the limit."""
    return None if value is None else value >= limit


def above(value: Any, limit: float) -> Truth:
    """Whether a known number exceeds the limit."""
    return None if value is None else value > limit


def _consents_of_the_band(facts: Facts) -> Truth:
    age = facts.get("age_years")
    guardian, assent, own = (
        facts.get(k) for k in ("consent_guardian", "assent_subject", "consent_subject")
    )
    if age is None:  # whichever band it is, it can only be refused where all three are
        return False if (guardian, assent, own) == (False, False, False) else None
    if age <= 4:
        return guardian
    return assent if age <= 12 else own


def _excluded_by_e5(facts: Facts) -> Truth:
    get = facts.get
    return some(
        among(get("hiv_status"), "positive"),
        get("uncontrolled_hypertension"),
        above(get("diastolic_bp"), 115),
        get("unstable_angina"),
        every(get("heart_failure"), among(get("nyha_class"), 2, 3, 4)),
        get("severe_diabetes"),
        get("coronary_angioplasty"),
        get("myocardial_infarction"),
        get("arrhythmia"),
        every(get("other_non_malignant_disease"), get("other_disease_excludes")),
    )


def verdicts(facts: Facts) -> dict[str, Truth]:
    """Whether the statement of each of the 16 criteria holds."""
    get = facts.get
    age = get("age_years")
    within = None if age is None else 1 <= age <= 80
    return {
        "I1": within,
        "I2": every(get("cgvhd"), get("allogeneic_hsct"), among(get("cgvhd_course"), *WAYS_IN)),
        "I3": among(get("ecog"), 0, 1, 2),
        "I4": get("survival_over_3_months"),
        "I5": opposite(get("acute_infection")),
        "I6": opposite(get("associated_tumour")),
        "I7": _consents_of_the_band(facts),
        "E1": False if get("sex") == "male" else _excluded_by_e1(facts),
        "E2": some(
            get("unknown_active_infection"),
            at_least(get("body_temperature"), 38.0),
            get("bacterial_infection"),
            get("fungal_infection"),
        ),
        "E3": opposite(within),
        "E4": among(get("ecog"), 3, 4),
        "E5": _excluded_by_e5(facts),
        "E6": every(
            some(get("mental_disorder"), get("drug_addiction")), get("disorder_affects_study")
        ),
        "E7": get("other_trial"),
        "E8": get("unfit"),
        "E9": get("other_serious_condition"),
    }


def _excluded_by_e1(facts: Facts) -> Truth:
    return some(
        among(facts.get("pregnancy_test"), "positive"),
        facts.get("breastfeeding"),
        every(facts.get("childbearing_potential"), opposite(facts.get("contraception_adequate"))),
    )


def not_applicable(facts: Facts) -> set[str]:
    """E1 for men, nothing else."""
    return {"E1"} if facts.get("sex") == "male" else set()


def decision(facts: Facts) -> str:
    """Any criterion against: ineligible; else any unknown: indeterminate; else eligible."""
    lets_in = [held if name[0] == "I" else opposite(held) for name, held in verdicts(facts).items()]
    if False in lets_in:
        return "ineligible"
    return "indeterminate" if None in lets_in else "eligible"


# --- alert rules: those that definitely hold -----------------------------------------------------
def alerts(scope: str, facts: Facts) -> set[str]:
    """The ids of the alert rules of one scope that must fire over these facts."""
    return {rule for rule, holds in _RULES[scope](facts.get).items() if holds is True}


def _fever_or_infection(get: Any) -> Truth:
    return some(at_least(get("max_temperature_24h"), 38.0), *(get(name) for name in INFECTIONS_24H))


def _subject(get: Any) -> dict[str, Truth]:
    waiting = every(get("screened"), opposite(get("enrolled")), opposite(get("dead")))
    age, then = get("age_years"), get("age_years_at_enrolment")
    no_assent = get("assent_subject") is not True
    no_consent = get("consent_subject") is not True
    left = None if get("infusions") is None else get("infusions") < 4
    younger_than_5 = None if then is None else then < 5
    younger_than_13 = None if then is None else then < 13
    withdrawn = some(
        *(opposite(get(k)) for k in ("consent_subject", "assent_subject", "consent_guardian"))
    )
    return {
        "EL-ELIGIBLE": every(waiting, among(get("decision"), "eligible")),
        "EL-INELIGIBLE": every(waiting, among(get("decision"), "ineligible")),
        "EL-NEEDS-DATA": every(waiting, among(get("decision"), "indeterminate")),
        "S-FEVER": every(get("on_study"), left, _fever_or_infection(get)),
        "CO-RECONSENT-5": every(
            get("on_study"), younger_than_5, None if age is None else 5 <= age <= 12, no_assent
        ),
        "CO-RECONSENT-13": every(get("on_study"), younger_than_13, at_least(age, 13), no_consent),
        "CO-CONSENT-WITHDRAWN": every(get("followed"), withdrawn),
        "CO-LOST": every(among(get("enrolment_status"), "lost"), above(get("infusions"), 0)),
        "CO-LEFT-EARLY": every(
            among(get("enrolment_status"), "treatment_stopped", "withdrawn"),
            above(get("infusions"), 0),
            left,
        ),
        **_patterns(get),
        **_response(get),
    }


def _patterns(get: Any) -> dict[str, Truth]:
    infused = above(get("infusions"), 0)
    fever = every(get("followed"), at_least(get("fever_after_infusion"), 38.0))
    infected, hit = get("infection_after_infusion"), get("hys_law")
    return {
        "P-HYS-LAW": every(infused, among(hit, "candidate", "cholestasis_unknown")),
        "P-CHOLESTATIC": every(infused, among(hit, "cholestatic")),
        "P-LIVER-LIMITS": every(infused, among(hit, "limits_missing")),
        "P-LIVER-INCOMPLETE": every(
            infused,
            at_least(get("at_peak_xuln"), 3),
            True if hit is None else among(hit, "limits_missing"),
        ),
        "P-FEVER-INFECTION": every(fever, infected),
        "P-FEVER-ALONE": every(fever, opposite(infected)),
        "P-FEVER-UNKNOWN": every(fever, infected is None),
        "P-PREGNANCY": every(get("followed"), among(get("pregnancy_test"), "positive")),
        "P-STERILITY": among(get("product_sterility"), "positive"),
    }


MARKERS = ("regulatory_t_cells_change", "baff_change", "cxcl9_change")


def _response(get: Any) -> dict[str, Truth]:
    beyond = [
        some(at_least(get(name), 50), None if get(name) is None else get(name) <= -50)
        for name in MARKERS
    ]
    return {
        "R-PROGRESSION": get("nih_progressed"),
        "R-RESPONSE": among(get("nih_response"), "complete", "partial"),
        "R-NOT-EVALUABLE": among(get("nih_response"), "not_evaluable"),
        "R-MARKER": some(*beyond),
    }


def _enrolment(get: Any) -> dict[str, Truth]:
    return {"EL-ENROLLED-NOT-ELIGIBLE": opposite(among(get("decision"), "eligible"))}


def _infusion(get: Any) -> dict[str, Truth]:
    given = get("infusion_status") != "not_done"
    wrong = some(opposite(among(get("decision"), "eligible")), opposite(get("enrolled")))
    return {
        "EL-INFUSED-NOT-ELIGIBLE": every(given, wrong),
        "S-INFUSED-FEVER": every(given, _fever_or_infection(get)),
        "INF-EXTRA": some(
            above(get("infusion_number"), 4),
            above(get("infusions"), 4),
            get("infusion_repeated"),
        ),
        "INF-GATE-NOT-OPEN": among(get("gate"), "closed"),
        "INF-GATE-UNKNOWN": among(get("gate"), "unknown"),
        "INF-DOSE": _off_dose(get("dose_per_kg"), get("infusion_status")),
        "INF-DOSE-UNKNOWN": get("dose_per_kg") is None,
    }


def _off_dose(per_kg: Any, status: Any) -> Truth:
    """Beside one to two million cells a kilogram; of what was broken off only too much counts."""
    too_little = None if per_kg is None else per_kg < 1
    return some(above(per_kg, 2), every(too_little, status != "interrupted"))


def _visit(get: Any) -> dict[str, Truth]:
    status, infusion = get("visit_status"), get("visit_is_infusion")
    other = opposite(infusion)
    return {
        "INF-INTERRUPTED": every(infusion, among(status, "interrupted")),
        "INF-MISSED": every(infusion, among(status, "overdue")),
        "INF-NOT-DONE": every(infusion, among(status, "not_done")),
        "INF-EARLY": every(infusion, among(status, "early")),
        "INF-LATE": every(infusion, among(status, "late")),
        "CO-VISIT-OVERDUE": every(other, among(status, "overdue")),
        "CO-VISIT-DEVIATION": every(other, among(status, "early", "late", "not_done")),
    }


def _adverse_event(get: Any) -> dict[str, Truth]:
    suspected = get("causality") is None or get("causality") in SUSPECTED
    perhaps_after = get("onset_after_infusion") is not False
    worst = some(at_least(get("grade"), 4), among(get("outcome"), "fatal"))
    return {
        "PAUSE-RELATED-G4": every(worst, suspected, perhaps_after),
        "PAUSE-TERM": every(
            some(get("ae_in_anaphylaxis"), get("ae_in_pulmonary_embolism")), perhaps_after
        ),
        **_reactions(get),
        "S-SERIOUSNESS-CONFLICT": get("seriousness_conflict"),
        "S-CRITERIA-UNKNOWN": every(
            get("is_serious"), get("is_life_threatening") is None, get("is_fatal") is not True
        ),
        "S-UNNAMED": every(
            get("ae_in_anaphylaxis") is None, some(get("is_serious"), at_least(get("grade"), 3))
        ),
        "S-SUSAR": every(get("is_susar"), perhaps_after),
        "S-EXPECTEDNESS-CONFLICT": get("expectedness_conflict"),
        "S-SUBMITTED-BEFORE-AWARE": get("submitted_before_aware"),
        "S-CYTOKINE-RELEASE": every(get("ae_in_cytokine_release"), perhaps_after),
        "S-THROMBO-EMBOLISM": every(get("ae_in_thrombo_embolism"), perhaps_after),
        "S-ECTOPIC-TISSUE": get("ae_in_ectopic_tissue"),
        "S-RELAPSE": get("ae_in_relapse"),
        "S-INFECTION-G3": every(
            get("ae_in_infection"), get("grade") is None or at_least(get("grade"), 3)
        ),
        "S-OPPORTUNISTIC": get("ae_in_opportunistic_infection"),
        "S-GRAFT-FAILURE": get("ae_in_graft_failure"),
        "S-SAE": some(get("serious"), above(get("seriousness_criteria"), 0)),
        "S-RELATED-G3": every(at_least(get("grade"), 3), suspected),
        "S-FATAL-AE": some(among(get("grade"), 5), among(get("outcome"), "fatal")),
    }


def _reactions(get: Any) -> dict[str, Truth]:
    """To the infusion before an event: while it ran, within 24 hours, within 30 days."""
    during = get("preceding_infusion_during")
    began, ended = (get(f"preceding_infusion_hours_{since}") for since in ("since", "since_end"))

    def up_to(hours: Any, limit: int) -> Truth:
        return None if hours is None else hours <= limit

    grade, suspected = get("grade"), get("is_suspected")
    return {
        "P-REACTION-DURING": every(during, suspected),
        "P-REACTION-ACUTE": every(
            some(up_to(ended, 24), up_to(began, 24)),
            during is not True,
            suspected,
            grade is None or grade >= 2,
        ),
        "P-REACTION-LATE": every(
            above(began, 24),
            ended is None or ended > 24,
            some(up_to(began, 720), up_to(ended, 720)),
            suspected,
            grade is None or grade >= 3,
        ),
    }


def _death(get: Any) -> dict[str, Truth]:
    suspected = get("causality") is None or get("causality") in SUSPECTED
    return {"S-DEATH": True, "PAUSE-DEATH": suspected}


def _trial(get: Any) -> dict[str, Truth]:
    return {
        "ST-TOX-CROSSED": get("st_tox_crossed"),
        "ST-TOX-NEAR": among(get("st_tox_events_to_stop"), 1),
        "PAUSE-SAME-G3": get("rp_same_g3_reached"),
        "ACC-TARGET": at_least(get("enrolled_count"), 10),
        "ACC-EXCEEDED": above(get("enrolled_count"), 10),
    }


_RULES = {
    "subject": _subject,
    "enrolment": _enrolment,
    "infusion": _infusion,
    "adverse_event": _adverse_event,
    "death": _death,
    "trial": _trial,
    "visit": _visit,
}
