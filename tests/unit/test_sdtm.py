"""SDTM tables as events: what a row becomes, what is left out, what cannot be told."""

from __future__ import annotations

import gzip
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services import sdtm
from services.errors import ServiceError
from services.sdtm.dates import when

ZONE = ZoneInfo("America/New_York")
PROTOCOL = {
    "time_zone": "America/New_York",
    "codes": [
        {"code": "hgb", "type": "observation", "value": "number", "unit": "g/L", "codings": []},
        {"code": "alt", "type": "observation", "value": "number", "unit": "U/L", "codings": []},
        {"code": "color", "type": "observation", "value": "string", "unit": None, "codings": []},
        {
            "code": "potassium", "type": "observation", "value": "number", "unit": "mmol/L",
            "codings": [{"system": "urn:cdisc:sdtm:testcd", "code": "K"}],
        },
        {
            "code": "sodium_serum", "type": "observation", "value": "number", "unit": "mmol/L",
            "codings": [{"system": "http://loinc.org", "code": "2951-2"}],
        },
        {"code": "cgvhd", "type": "condition", "value": None, "unit": None, "codings": []},
    ],
}  # fmt: skip
STUDY = sdtm.Study.of("t", PROTOCOL)
WHO = {"STUDYID": "ST1", "USUBJID": "S-1"}
DM = WHO | {
    "RFSTDTC": "2014-01-02", "DTHDTC": "", "SITEID": "701",
    "BRTHDTC": "1950-12", "SEX": "F", "DMDTC": "2013-12-26",
}  # fmt: skip
LB = WHO | {
    "LBSEQ": "7", "LBTESTCD": "ALT", "LBDTC": "2013-12-26T14:45", "LBBLFL": "Y",
    "LBORRES": "40", "LBORRESU": "U/L", "LBORNRLO": "6", "LBORNRHI": "32",
    "LBSTRESC": "40", "LBSTRESN": "40", "LBSTRESU": "U/L", "LBSTNRLO": "6", "LBSTNRHI": "32",
}  # fmt: skip
AE = WHO | {
    "AESEQ": "3", "AEDECOD": "SYNCOPE", "AESER": "N", "AESHOSP": "Y", "AESCAN": "Y", "AESOD": "Y",
    "AEREL": "PROBABLE", "AEOUT": "RECOVERED/RESOLVED", "AEDTC": "2014-02-10",
    "AESTDTC": "2014-02", "AEENDTC": "2014-02-12",
}  # fmt: skip


def one(domain: str, row: dict[str, str]) -> dict[str, object]:
    """The only event of a row."""
    made = sdtm.convert({domain: [row]}, STUDY)
    assert made.faults == []
    (event,) = made.events
    return event


def test_a_laboratory_row_goes_in_the_standard_unit_with_its_range_at_its_minute() -> None:
    event = one("lb", LB)
    assert event["id"] == "S-1.LB.7"
    assert event["time"] == event["recordedtime"] == "2013-12-26T14:45:00-05:00"
    assert event["timeprecision"] == "second"
    assert event["data"] == {
        "code": "alt", "value": 40, "unit": "U/L",
        "reference_low": 6, "reference_high": 32, "baseline": True,
    }  # fmt: skip


def test_a_laboratory_row_goes_as_measured_where_the_standard_unit_is_another() -> None:
    measured = {"LBORRES": "14.3", "LBORRESU": "g/dL", "LBORNRLO": "11.5", "LBORNRHI": "15.8"}
    standard = {"LBSTRESN": "8.87458", "LBSTRESU": "mmol/L", "LBSTNRLO": "7.14", "LBSTNRHI": "9.81"}
    data = one("lb", LB | {"LBTESTCD": "HGB", "LBBLFL": ""} | measured | standard)["data"]
    assert data == {
        "code": "hgb", "value": 14.3, "unit": "g/dL", "reference_low": 11.5, "reference_high": 15.8,
    }  # fmt: skip


def test_a_test_is_found_by_its_name_by_its_coding_and_by_its_loinc_code() -> None:
    millimoles = {"LBSTRESU": "mmol/L"}
    found = [
        one("lb", LB | {"LBTESTCD": "K"} | millimoles)["data"],
        one("lb", LB | {"LBTESTCD": "SODIUM", "LBLOINC": "2951-2"} | millimoles)["data"],
    ]
    assert [data["code"] for data in found] == ["potassium", "sodium_serum"]  # type: ignore[index]


def test_a_test_that_the_protocol_does_not_declare_is_counted_by_name() -> None:
    made = sdtm.convert({"lb": [LB | {"LBTESTCD": "TSH"}, LB | {"LBTESTCD": "CGVHD"}]}, STUDY)
    assert made.events == []
    assert sorted(made.ignored) == [
        "LB CGVHD: the protocol declares no such code",
        "LB TSH: the protocol declares no such code",
    ]


def test_a_result_below_what_can_be_measured_is_not_known_and_never_nought() -> None:
    below = {"LBORRES": "<5", "LBSTRESC": "<5", "LBSTRESN": ""}
    assert one("lb", LB | below)["data"] == {"code": "alt", "absent": "unknown", "baseline": True}


def test_a_result_in_words_goes_to_a_code_of_words() -> None:
    words = {"LBTESTCD": "COLOR", "LBSTRESC": "N", "LBSTRESN": "", "LBBLFL": ""}
    assert one("lb", LB | words)["data"] == {"code": "color", "value": "N"}


def test_an_adverse_event_was_known_on_the_day_of_its_collection_and_its_end_when_it_came() -> None:
    first, last = sdtm.convert({"ae": [AE | {"AEENDTC": "2014-02-11"}]}, STUDY).events
    assert (first["time"], first["timeprecision"]) == ("2014-02-01T00:00:00-05:00", "month")
    assert first["recordedtime"] == "2014-02-11T00:00:00-05:00"
    assert first["data"] == {
        "ae": "AE-3", "term": "SYNCOPE", "serious": False, "causality": "probable",
        "seriousness": ["hospitalisation", "medically_important"],
        "onset": "2014-02", "aware_at": "2014-02-10",
    }  # fmt: skip
    assert (last["id"], last["time"]) == ("S-1.AE.3.end", "2014-02-11T00:00:00-05:00")
    assert last["recordedtime"] == "2014-02-12T00:00:00-05:00"
    assert last["data"] == {"ae": "AE-3", "outcome": "resolved", "resolved": "2014-02-11"}


def test_an_adverse_event_that_was_over_when_it_was_collected_is_told_once() -> None:
    data = one("ae", AE | {"AEENDTC": "2014-02-10"})["data"]
    assert data["outcome"] == "resolved"  # type: ignore[index]
    assert data["resolved"] == data["aware_at"] == "2014-02-10"  # type: ignore[index]


def test_a_flag_or_a_causality_that_is_not_recorded_stays_away() -> None:
    data = one("ae", AE | {"AESER": "", "AEREL": "", "AEENDTC": ""})["data"]
    assert "serious" not in data  # type: ignore[operator]
    assert "causality" not in data  # type: ignore[operator]


def test_a_subject_is_told_screened_enrolled_and_dead_each_on_its_day() -> None:
    made = sdtm.convert({"dm": [DM | {"DTHDTC": "2014-03-01"}]}, STUDY)
    assert [(event["type"], str(event["recordedtime"])[:10]) for event in made.events] == [
        ("demographics", "2013-12-27"),
        ("enrolment", "2013-12-27"),
        ("enrolment", "2014-01-03"),
        ("death", "2014-03-02"),
    ]
    assert made.events[0]["data"] == {"birth_date": "1950-12", "sex": "female"}


@pytest.mark.parametrize(
    ("domain", "row", "fault"),
    [
        ("lb", LB | {"LBDTC": "26.12.2013"}, "lb:2: 26.12.2013 is no date as 2013, 2013-12, "),
        ("lb", LB | {"LBDTC": "2013-02-30"}, "lb:2: "),
        ("lb", LB | {"LBDTC": ""}, "lb:2: bears no date"),
        ("dm", WHO, "dm:2: there is no column RFSTDTC"),
        ("ae", AE | {"AETOXGR": "severe"}, "ae:2: AETOXGR must be a number"),
    ],
)
def test_a_row_that_cannot_be_told_is_a_sentence_with_its_place(
    domain: str, row: dict[str, str], fault: str
) -> None:
    made = sdtm.convert({domain: [row], "lb" if domain != "lb" else "vs": []}, STUDY)
    assert made.events == []
    assert made.faults[0].startswith(fault)


@pytest.mark.parametrize(
    ("text", "precision", "over"),
    [
        ("2013", "year", "2013-01-02T00:00:00-05:00"),
        ("2013-07", "month", "2013-07-02T00:00:00-04:00"),
        ("2013-11-03", "day", "2013-11-04T00:00:00-05:00"),  # the day on which clocks go back
        ("2013-11-04T08:15", "second", "2013-11-04T08:15:00-05:00"),
    ],
)
def test_a_date_says_how_exact_it_is(text: str, precision: str, over: str) -> None:
    found = when(text, ZONE)
    assert found is not None
    assert (found.precision, found.over.isoformat()) == (precision, over)
    assert found.text == (text if "T" not in text else over)


def test_tables_are_found_by_their_domain_packed_or_not(tmp_path: Path) -> None:
    (tmp_path / "st1_dm.csv").write_text("USUBJID,SEX\nS-1,F\n", encoding="utf-8-sig")
    with gzip.open(tmp_path / "LB.csv.gz", "wt") as packed:
        packed.write("USUBJID,LBSEQ\nS-1,1\nS-1,2\n")
    found = sdtm.folder_tables(tmp_path)
    assert {domain: len(rows) for domain, rows in found.items()} == {"dm": 1, "lb": 2}
    assert found["dm"] == [{"USUBJID": "S-1", "SEX": "F"}]


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"lb.csv": "USUBJID\n"}, "there is no table of subjects"),
        ({"dm.csv": "USUBJID\n", "x_dm.csv": "USUBJID\n"}, "more than one table DM (dm.csv, x_dm.csv)"),
        ({"dm.csv": "SUBJECT\n"}, "has no column USUBJID"),
        ({"dm.csv": "USUBJID,SEX\nS-1\n"}, "dm.csv:2: has not as many cells"),
        ({"dm.csv": "", "dm.csv.gz": "no gzip"}, "more than one table DM"),
        ({"dm.csv.gz": "no gzip"}, "cannot be read as a CSV table"),
    ],
)  # fmt: skip
def test_a_folder_that_cannot_be_read_is_one_sentence(
    tmp_path: Path, files: dict[str, str], fault: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ServiceError) as told:
        sdtm.folder_tables(tmp_path)
    assert fault in str(told.value)
