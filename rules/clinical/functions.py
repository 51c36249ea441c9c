"""Functions that a protocol may name: `clinical: nih_severity, of: {skin: skin_score, ..}`.

Who comes in: the language, to check names and types; derived facts, to be computed. Who goes out:
Function by name. All are pure and three-valued: None in, and None out where the answer hangs on it.
Adding one is an entry here and its row in the manual.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rules.clinical import cgvhd
from rules.terms import ValueType

SCORES_2014 = "NIH consensus 2014, staging (Jagasia 2015)"
RESPONSE_2014 = "NIH consensus 2014, response criteria (Lee 2015)"
REFINED_2020 = "Inamoto 2020, refined joint measure"


@dataclass(frozen=True)
class Argument:
    """What a fact must be to stand here. `optional`: need not be named; unknown is not true."""

    kind: ValueType = ValueType.INTEGER
    unit: str | None = None  # UCUM; None: a score
    values: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True)
class Function:
    """One function: what it takes, by name, and what it gives."""

    says: str
    arguments: Mapping[str, Argument]
    compute: Callable[[Mapping[str, Any]], Any]
    source: str
    result: ValueType = ValueType.CODE
    values: tuple[str, ...] = field(default=())
    low: float | None = None  # of a number
    high: float | None = None


_SCORE = Argument()
_MULTIPLE = Argument(ValueType.NUMBER, "1")
_PERCENT = Argument(ValueType.NUMBER, "%")
_CAUSE = Argument(ValueType.BOOLEAN, optional=True)
_ORGAN = Argument(ValueType.CODE, values=cgvhd.ORGAN_RESPONSES)


def _score(
    says: str, arguments: Mapping[str, Argument], compute: Callable[[Mapping[str, Any]], Any]
) -> Function:
    return Function(says, arguments, compute, SCORES_2014, ValueType.INTEGER, low=0, high=3)


def _organ(
    says: str,
    arguments: Mapping[str, Argument],
    compute: Callable[[Mapping[str, Any]], Any],
    source: str = RESPONSE_2014,
) -> Function:
    every = {**arguments, "other_cause": _CAUSE}
    return Function(says, every, compute, source, values=cgvhd.ORGAN_RESPONSES)


def _both(names: Iterable[str], argument: Argument) -> dict[str, Argument]:
    """Each as it was at baseline, and as it is now."""
    names = tuple(names)
    return {f"{name}_baseline": argument for name in names} | dict.fromkeys(names, argument)


_PAIR = {"baseline": _SCORE, "now": _SCORE}
_JOINTS = _both(("score", *cgvhd.SITES), _SCORE)
_BY_ONE = cgvhd.by_steps(1, spared=True)

FUNCTIONS: Mapping[str, Function] = {
    "nih_skin_score": _score(
        "Skin 0-3 of the body surface involved and sclerotic features",
        {"bsa": _PERCENT, "features": Argument(ValueType.CODE, values=cgvhd.SKIN_FEATURES)},
        cgvhd.skin_score,
    ),
    "nih_liver_score": _score(
        "Liver 0-3 of bilirubin, ALT and alkaline phosphatase",
        {
            "bilirubin": Argument(ValueType.NUMBER, "mg/dL"),
            "bilirubin_xuln": _MULTIPLE,
            "alt": _MULTIPLE,
            "alp": _MULTIPLE,
        },
        cgvhd.liver_score,
    ),
    "nih_lung_score": _score(
        "Lungs 0-3 of FEV1; of symptoms only where FEV1 is not known",
        {
            "fev1": _PERCENT,
            "symptoms": Argument(ValueType.CODE, values=cgvhd.LUNG_SYMPTOMS, optional=True),
        },
        cgvhd.lung_score,
    ),
    "nih_severity": Function(
        "Global severity over eight organs; one with `<organ>_other_cause` true is left out",
        dict.fromkeys(cgvhd.ORGANS, _SCORE)
        | {f"{organ}_other_cause": _CAUSE for organ in cgvhd.ORGANS},
        cgvhd.severity,
        SCORES_2014,
        values=cgvhd.SEVERITIES,
    ),
    "nih_response_skin": _organ("Skin, NIH score 0-3", _PAIR, _BY_ONE),
    "nih_response_eyes": _organ("Eyes, NIH score 0-3", _PAIR, _BY_ONE),
    "nih_response_gi": _organ(
        "Oesophagus, upper or lower gastrointestinal tract, response scale 0-3", _PAIR, _BY_ONE
    ),
    "nih_response_mouth": _organ(
        "Mouth, modified oral mucositis score 0-12", _PAIR, cgvhd.by_steps(2, spared=False)
    ),
    "nih_response_global": _organ(
        "Global rating 0-10, told apart from the organs", _PAIR, cgvhd.by_steps(2, spared=False)
    ),
    "nih_response_liver": _organ(
        "Liver: ALT, ALP and total bilirubin in multiples of their upper limits",
        _both(cgvhd.LIVER_TESTS, _MULTIPLE),
        cgvhd.liver_response,
    ),
    "nih_response_lungs": _organ(
        "Lungs: FEV1 in percent of predicted",
        {"baseline": _PERCENT, "now": _PERCENT},
        cgvhd.lung_response,
    ),
    "nih_response_joints": _organ(
        "Joints and fascia: score 0-3 and P-ROM of each site", _JOINTS, cgvhd.joint_response
    ),
    "nih_response_joints_refined": _organ(
        "The same by the total of P-ROM", _JOINTS, cgvhd.refined_joint_response, REFINED_2020
    ),
    "nih_response": Function(
        "Overall response over nine measured organs",
        dict.fromkeys(cgvhd.MEASURED, _ORGAN),
        cgvhd.response,
        RESPONSE_2014,
        values=cgvhd.RESPONSES,
    ),
    "nih_progression": Function(
        "Whether any organ has progressed, also while others are missing",
        dict.fromkeys(cgvhd.MEASURED, _ORGAN),
        cgvhd.progressed,
        RESPONSE_2014,
        ValueType.BOOLEAN,
    ),
}
