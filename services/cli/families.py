"""Cases of the test vectors, answered: `vigil boundary --batch`.

Who comes in: the boundary command, with cases {id, family, method, input} in the vectors' own
spellings. Who goes out: answered(). A family's answer has every key that any of its cases expects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import rules
from services.cli.batch import CaseError

Json = dict[str, Any]

_CALIBRATED = {
    "Pocock": rules.Method.POCOCK,
    "OBF": rules.Method.OBRIEN_FLEMING,
    "WT": rules.Method.WANG_TSIATIS,
    "BB": rules.Method.BETA_BINOMIAL,
    "CC": rules.Method.CHEN_CHALONER,
    "SPRT": rules.Method.SPRT,
    "MaxSPRT": rules.Method.MAX_SPRT,
}

_TIMED = {**_CALIBRATED, "GP": rules.Method.GAMMA_POISSON}


def answered(case: Json) -> Json:
    """What a case of its family expects.

    Raises CaseError, one sentence, for a case that cannot be answered.
    """
    try:
        answer = FAMILIES[case["family"]]
        return answer(case)
    except KeyError as error:
        raise CaseError(_missing(case, error)) from None
    except (TypeError, ValueError, AttributeError) as error:
        raise CaseError(f"the input cannot be read: {error}") from None
    except rules.DesignError as error:
        raise CaseError(str(error)) from None


def _missing(case: Json, error: KeyError) -> str:
    if case.get("family") not in FAMILIES:
        return f"family {case.get('family')} is not one of {', '.join(FAMILIES)}"
    return f"{error} is missing or unknown in this case of {case['family']}"


def _calibrated(case: Json) -> Json:
    method, given = case["method"], case["input"]
    bound = rules.boundary(_design(_CALIBRATED[method], given))
    at_null = rules.characteristics(bound, [given["p0"]])[0]
    return {
        "min_events_to_stop": bound.stop_at,
        "type1": bound.type_1_error,
        "critical_value_open_closed": [bound.critical_above, bound.critical],
        "oc": _behaviour(bound, given),
        "stop_prob_by_look_at_p0": at_null.stop_probability,
        "oc_accrual": [_accrued(bound, setting) for setting in given.get("accrual", ())],
    }


def _accrued(bound: rules.Boundary, setting: Json) -> Json:
    accrual = rules.Accrual(setting["tau"], setting["A"])
    row = rules.characteristics(bound, [setting["p"]], accrual)[0]
    return {
        "tau": setting["tau"],
        "A": setting["A"],
        "p": row.p,
        "reject": row.reject,
        "e_events": row.expected_events_enrolled,
        "e_enrolled": row.expected_enrolled,
        "e_calendar": row.expected_calendar_days,
    }


def _bayes(case: Json) -> Json:
    given = case["input"]
    design = rules.Design(
        method=rules.Method.BAYES_THRESHOLD,
        looks=_looks(given),
        p0=given["p_limit"],
        threshold=given["threshold"],
        strict=given.get("strict", True),
        prior=pair(given["prior"]),
    )
    bound = rules.boundary(design)
    return {"min_events_to_stop": bound.stop_at, "oc": _behaviour(bound, given)}


def _boin(case: Json) -> Json:
    given = case["input"]
    design = rules.Design(
        method=rules.Method.BOIN,
        looks=rules.continuous(given["ncohort"] * given["cohortsize"]),
        p0=given["target"],
        p_safe=given.get("p_saf"),
        p1=given.get("p_tox"),
        threshold=given["cutoff_eli"],
    )
    return rules.details(rules.boundary(design))


def _thall_simon(case: Json) -> Json:
    given = case["input"]
    design = rules.Design(
        method=rules.Method.THALL_SIMON,
        looks=_looks(given),
        prior=pair(given["priorE"]),
        standard_prior=pair(given["priorS"]),
        delta=given["delta"],
        threshold=given["tau"],
    )
    bound = rules.boundary(design)
    return {
        "min_events_to_stop": bound.stop_at,
        "oc": _behaviour(bound, given),
        **rules.details(bound),
    }


def _toxbdry(case: Json) -> Json:
    given = case["input"]
    if given.get("priority", "null") != "null":
        raise ValueError("only the search that gives priority to the null is followed")
    design = rules.Design(
        method=rules.Method.TOXBDRY,
        looks=_looks(given),
        p0=given["pLo"],
        p1=given["pHi"],
        alpha=given["cP0"],
        power=given["cP1"],
        delta=given["delta"],
    )
    bound, rates = rules.boundary(design), given["true_p"]
    told = rules.details(bound)
    stop_at = zip(told["lo_max_acceptable"], design.looks, strict=True)
    looser = replace(
        bound, stop_at=tuple(None if most == size else most + 1 for most, size in stop_at)
    )
    low, high = rules.characteristics(looser, rates), rules.characteristics(bound, rates)
    rows = zip(rates, low, high, strict=True)
    oc = [{"ptox": p, **_crossing(lo, "lo"), **_crossing(hi, "hi")} for p, lo, hi in rows]
    return {**told, "oc": oc}


def _crossing(row: rules.Characteristics, name: str) -> Json:
    """The tool's words: crossed at all, stopped before the last look, expected sample size."""
    return {
        f"pcross_{name}": row.reject,
        f"pstop_{name}": row.reject - row.stop_probability[-1],
        f"ess_{name}": row.expected_evaluable,
    }


def _published(case: Json) -> Json:
    method, given = case["method"], case["input"]
    if method == "binomialSPRT":
        looks = rules.continuous(given["maxn"], given["minn"])
        wanted = {**given, "looks": looks}
        bound = rules.boundary(_design(rules.Method.BINOMIAL_SPRT, wanted))
    else:
        bound = rules.boundary(_design(_CALIBRATED[method], given))
    # Printed critical values come from root finders: they lie at the open end of the interval.
    return {
        "cval": bound.critical_above,
        "min_events_to_stop": bound.stop_at,
        "oc": _behaviour(bound, given),
    }


def _survival(case: Json) -> Json:
    given = {**case["input"], "looks": rules.continuous(case["input"]["n"])}
    if case["method"] == "GP":
        given["prior"] = given["gamma_prior_shape_rate"]
    design = replace(
        _design(_TIMED[case["method"]], given),
        outcome=rules.DesignOutcome.TIME_TO_EVENT,
        window_days=given["tau"],
        max_info=rules.MaxInfo(given["max_info"]),
    )
    bound = rules.boundary(design)
    return {
        "cval": bound.critical,
        "events": [events for events, _ in bound.exposure],
        "max_total_exposure_to_stop": [most for _, most in bound.exposure],
        "type1_truncated": bound.type_1_error,
        "oc_poisson": _behaviour(bound, given),
    }


def _tite(case: Json) -> Json:
    """The cuts alone depend on no window; one day stands for it."""
    given = dict(case["input"])
    if case["method"] == "Pocock":
        given.pop("delta", None)  # it is 0.5 by its name
    design = replace(
        _design(_CALIBRATED[case["method"]], {**given, "looks": rules.continuous(given["n"])}),
        outcome=rules.DesignOutcome.TITE,
        window_days=1.0,
    )
    told = given.get("given_cval")
    bound = rules.boundary(design) if told is None else rules.boundary_at(design, told)
    return {
        "cval": bound.critical,
        "events": [events for events, _ in bound.exposure],
        "max_ess_to_stop": [most for _, most in bound.exposure],
    }


def _design(method: rules.Method, given: Json) -> rules.Design:
    return rules.Design(
        method=method,
        looks=_looks(given),
        p0=given["p0"],
        alpha=given["alpha"],
        beta=given.get("beta"),
        p1=given.get("p1"),
        delta=given.get("delta"),
        prior=pair(given["prior"]) if "prior" in given else None,
        nu=given.get("nu"),
    )


def _looks(given: Json) -> tuple[int, ...]:
    looks = tuple(given["looks"])
    if not all(isinstance(look, int) for look in looks):
        raise ValueError("looks are whole numbers of evaluable units")
    return looks


def pair(numbers: Sequence[float]) -> tuple[float, float]:
    """Two parameters of a prior. Raises ValueError for another number of them."""
    first, second = numbers
    return float(first), float(second)


def _behaviour(bound: rules.Boundary, given: Json) -> list[Json]:
    return [
        {
            "p": row.p,
            "reject": row.reject,
            "e_events": row.expected_events,
            "e_n": row.expected_evaluable,
            "cross_low": row.accept,
            "cross_high": row.reject,
            "asn": row.expected_evaluable,
        }
        for row in rules.characteristics(bound, given.get("true_p", ()))
    ]


# A family of the vectors -> case to its answer.
FAMILIES: dict[str, Callable[[Json], Json]] = {
    "binary_calibrated": _calibrated,
    "bayes_fixed_threshold": _bayes,
    "boin_elimination": _boin,
    "thall_simon": _thall_simon,
    "repeated_significance_toxbdry": _toxbdry,
    "published": _published,
    "survival_calibrated": _survival,
    "tite_from_cval": _tite,
}
