"""SDTM's code lists in Vigil's words; what is not listed here goes as it is and the door judges it.

Who comes in: the mapping. Who goes out: words. Source: CDISC controlled terminology, ICH E2A.
"""

from __future__ import annotations

UNITS = {
    "%": "%", "/min": "/min", "BEATS/MIN": "/min", "beats/min": "/min", "C": "Cel", "F": "[degF]",
    "FRACTION": "1", "fmol(Fe)": "fmol", "10^9/L": "10*9/L", "GI/L": "10*9/L", "10^12/L": "10*12/L",
    "TI/L": "10*12/L", "THOU/uL": "10*3/uL", "MILL/uL": "10*6/uL", "IN": "[in_i]", "in": "[in_i]",
    "IU/L": "[IU]/L", "uIU/mL": "u[IU]/mL", "LB": "[lb_av]", "mEq/L": "meq/L", "mmHg": "mm[Hg]",
}  # fmt: skip

SEX = {"F": "female", "M": "male", "U": "unknown", "UNDIFFERENTIATED": "other"}

# Cancer and overdose were criteria of forms once; ICH E2A has them as medically important.
CRITERIA = {
    "AESDTH": "death",
    "AESLIFE": "life_threatening",
    "AESHOSP": "hospitalisation",
    "AESDISAB": "disability",
    "AESCONG": "congenital_anomaly",
    "AESMIE": "medically_important",
    "AESCAN": "medically_important",
    "AESOD": "medically_important",
}

CAUSALITY = {
    "RELATED": "related", "DEFINITE": "related", "PROBABLE": "probable",
    "PROBABLY RELATED": "probable", "POSSIBLE": "possible", "POSSIBLY RELATED": "possible",
    "REMOTE": "unlikely",
    "UNLIKELY": "unlikely", "UNLIKELY RELATED": "unlikely", "NONE": "unrelated",
    "NOT RELATED": "unrelated", "UNRELATED": "unrelated", "Y": "related", "N": "unrelated",
}  # fmt: skip

OUTCOME = {
    "FATAL": "fatal",
    "RECOVERED/RESOLVED": "resolved",
    "RECOVERED/RESOLVED WITH SEQUELAE": "resolved_with_sequelae",
    "RECOVERING/RESOLVING": "resolving",
    "NOT RECOVERED/NOT RESOLVED": "not_resolved",
    "UNKNOWN": "unknown",
}
