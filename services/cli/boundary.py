"""`vigil boundary`: a stopping boundary, and exactly how it behaves.

Who comes in: whoever plans a trial. Who goes out: the rules' own boundary, as a table or as JSON;
or the answers to a file of cases.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import orjson

import rules
from services import drawing
from services.cli import batch
from services.cli.boundary_text import lines, unbeaten_lines
from services.cli.families import answered

Json = dict[str, Any]

_PLAIN = ("p0", "p1", "p_safe", "alpha", "beta", "power", "delta", "nu")
_WINDOW_DAYS = 30.0
_STEPS = (0.0, 0.1, 0.2, 0.3, 0.4)  # above p0: the true rates shown where none are asked for
_BARE = (0.1, 0.2, 0.3, 0.4, 0.5)  # the same without a p0


class _Numbers(click.ParamType):  # type: ignore[type-arg]
    """Numbers with commas between them."""

    name = "X,X,..."

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float, ...]:
        try:
            return tuple(float(part) for part in str(value).split(","))
        except ValueError:
            self.fail("must be numbers with commas between them, as 0.1,0.2", param, ctx)


class _Looks(click.ParamType):  # type: ignore[type-arg]
    """Numbers of evaluable subjects; 5-10 means every one from 5 to 10."""

    name = "K,K,..."

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:
        try:
            return tuple(look for part in str(value).split(",") for look in _span(part))
        except ValueError:
            self.fail("must be numbers such as 5,10,15 or spans such as 5-30", param, ctx)


def _span(part: str) -> range:
    first, dash, last = part.strip().partition("-")
    return range(int(first), int(last if dash else first) + 1)


class _Plot(click.Path):
    """A file whose ending says how it is drawn."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Path:
        file = Path(str(super().convert(value, param, ctx)))
        if file.suffix.lower() not in {f".{form}" for form in drawing.Form}:
            self.fail("must end in .svg or .png", param, ctx)
        return file


PLOT = _Plot(dir_okay=False)


@click.command(name="boundary")
@click.option("--method", type=click.Choice([str(one) for one in rules.Method if one != "table"]))
@click.option("--n", type=int, help="Evaluable subjects at most; a look after each of them.")
@click.option("--looks", type=_Looks(), help="Or these looks alone, as 5,10,20 or 5-30.")
@click.option("--p0", type=float, help="The rate that is still acceptable.")
@click.option("--p1", type=float, help="A rate that is too high.")
@click.option("--alpha", type=float, help="Type I error allowed at p0.")
@click.option("--beta", type=float, help="binomial_sprt: type II error at p1.")
@click.option("--power", type=float, help="toxbdry: probability of stopping wished at p1.")
@click.option("--delta", type=float, help="Shape: 0 O'Brien-Fleming, 0.5 Pocock (see the manual).")
@click.option("--prior", type=_Numbers(), help="a,b of its Beta(a, b); gamma_poisson: shape,rate.")
@click.option("--standard-prior", type=_Numbers(), help="thall_simon: of the standard's rate.")
@click.option("--p-safe", type=float, help="boin: escalate below it; default 0.6 p0, p1 1.4 p0.")
@click.option("--nu", type=float, help="chen_chaloner: P(p > p1) to be exceeded.")
@click.option("--threshold", type=float, help="Posterior probability at which to stop.")
@click.option("--at-threshold", is_flag=True, help="bayes_threshold: stop at it, not only above.")
@click.option("--min-evaluable", type=int, default=3, show_default=True, help="boin.")
@click.option("--time-to-event", is_flag=True, help="The outcome is the time to the event.")
@click.option("--window", type=float, help="Days after which a subject has given its answer.")
@click.option("--max-info", type=click.Choice([str(one) for one in rules.MaxInfo]))
@click.option("--accrual-days", type=float, help="With --window: who is pending when it stops.")
@click.option("--true-p", type=_Numbers(), help="True rates for the characteristics.")
@click.option(
    "--batch", "cases", type=click.File("rb"), help="Answer a file of cases (- is stdin)."
)
@click.option("--admissible", is_flag=True, help="The best of all boundaries of a small trial.")
@click.option("--plot", type=PLOT, help="Draw the boundary and its characteristics: .svg, .png.")
@click.option("--json", "as_json", is_flag=True)
def command(*, as_json: bool, cases: Any, plot: Path | None, **asked: Any) -> int:
    """A stopping boundary and exactly how it behaves; nothing is simulated for binary outcomes."""
    if cases is not None:
        return batch.answer_all(cases.read(), answered)
    unbeaten = asked.pop("admissible")
    try:
        answer = _unbeaten(asked) if unbeaten else computed(asked)
    except rules.DesignError as error:
        for problem in error.problems:
            click.echo(f"vigil: {problem.message} ({problem.hint})", err=True)
        return 2
    if plot is not None:
        if unbeaten:
            raise click.UsageError("--plot draws one boundary; leave out --admissible")
        _plotted(answer, plot)
    shown = unbeaten_lines if unbeaten else lines
    click.echo(orjson.dumps(answer) if as_json else "\n".join(shown(answer)))
    return 0


def _plotted(answer: Json, file: Path) -> None:
    """Written whole or not at all: drawn before the file is opened."""
    figure = drawing.whole(answer, form=drawing.Form(file.suffix[1:].lower()))
    try:
        file.write_bytes(figure)
    except OSError as error:
        raise click.UsageError(f"--plot: {file} cannot be written: {error.strerror}") from error


def computed(asked: Json) -> Json:
    """The answer to what was asked for, as contract section 6 has it.

    Raises DesignError with one sentence for each parameter that is wrong.
    """
    design = _design(asked)
    bound = rules.boundary(design)
    rates = _rates(design, asked["true_p"])
    return told(asked["method"], bound, rules.characteristics(bound, rates, _accrual(asked)))


def told(method: str, bound: rules.Boundary, rows: Sequence[rules.Characteristics]) -> Json:
    """A boundary and how it behaves, as contract section 6 has it."""
    design = bound.design
    return {
        "method": method,
        "parameters": _parameters(design),
        "boundary": _boundary(bound),
        "type_1_error": bound.type_1_error,
        "critical_value": bound.critical,
        "operating_characteristics": [_row(row) for row in rows],
        "details": rules.details(bound),
        "notes": list(bound.notes),
    }


def _unbeaten(asked: Json) -> Json:
    """The boundaries that no other beats; the method is none of the named ones."""
    if asked["method"] is not None:
        raise _wrong("method", "--admissible takes no --method", "leave it out")
    for name in ("p0", "p1", "alpha"):
        if asked[name] is None:
            raise _wrong(name, f"--admissible needs --{name}", "as --p0 0.2 --p1 0.4 --alpha 0.1")
    looks, p0, p1, alpha = _looks(asked), asked["p0"], asked["p1"], asked["alpha"]
    found = rules.admissible(looks, p0, p1, alpha)
    return {
        "parameters": {"n": looks[-1], "looks": looks, "p0": p0, "p1": p1, "alpha": alpha},
        "admissible": [
            {
                "boundary": _boundary(one.bound),
                "type_1_error": one.bound.type_1_error,
                "power": one.power,
                "expected_evaluable": one.expected_evaluable,
            }
            for one in found
        ],
    }


def _design(asked: Json) -> rules.Design:
    method, outcome = _method(asked)
    window = asked["window"]
    if asked["at_threshold"] and method is not rules.Method.BAYES_THRESHOLD:
        said = f"method {method} does not use --at-threshold"
        raise _wrong("at_threshold", said, "bayes_threshold does")
    if asked["max_info"] and outcome is not rules.DesignOutcome.TIME_TO_EVENT:
        raise _wrong("max_info", "--max-info is for the time to an event", "add --time-to-event")
    if outcome is not rules.DesignOutcome.BINARY and window is None:
        window = _WINDOW_DAYS
    return rules.Design(
        method=method,
        outcome=outcome,
        looks=_looks(asked),
        **{name: asked[name] for name in _PLAIN},
        threshold=_threshold(method, asked["threshold"]),
        strict=not asked["at_threshold"],
        min_evaluable=asked["min_evaluable"],
        prior=_prior(method, "prior", asked, window),
        standard_prior=_prior(method, "standard_prior", asked, window),
        window_days=window,
        max_info=rules.MaxInfo(asked["max_info"] or rules.MaxInfo.EXPECTED),
    )


def _method(asked: Json) -> tuple[rules.Method, rules.DesignOutcome]:
    """The statistic and the outcome; tite takes the statistic that its parameters name."""
    if asked["method"] is None:
        raise _wrong("method", "--method is missing", f"one of {', '.join(rules.Method)}")
    method = rules.Method(asked["method"])
    if method is rules.Method.TITE:
        return _of_tite(asked), rules.DesignOutcome.TITE
    timed = asked["time_to_event"] or method is rules.Method.GAMMA_POISSON
    return method, rules.DesignOutcome.TIME_TO_EVENT if timed else rules.DesignOutcome.BINARY


def _of_tite(asked: Json) -> rules.Method:
    if asked["nu"] is not None:
        return rules.Method.CHEN_CHALONER
    if asked["prior"] is not None:
        return rules.Method.BETA_BINOMIAL
    if asked["p1"] is not None:
        return rules.Method.SPRT
    return rules.Method.POCOCK if asked["delta"] is None else rules.Method.WANG_TSIATIS


def _threshold(method: rules.Method, threshold: float | None) -> float | None:
    """BOIN's own default where none is asked for."""
    return 0.95 if method is rules.Method.BOIN and threshold is None else threshold


def _looks(asked: Json) -> tuple[int, ...]:
    n, looks = asked["n"], asked["looks"]
    if n is not None and n < 1:
        raise _wrong("n", f"n must be 1 or more, not {n}", "the evaluable subjects, as 30")
    if looks is None:
        return rules.continuous(n or 0)
    if n is not None and looks and looks[-1] != n:
        raise _wrong("looks", f"the last look is at {looks[-1]}, but n is {n}", "make them agree")
    return tuple(looks)


def _prior(
    method: rules.Method, name: str, asked: Json, window: float | None
) -> tuple[float, float] | None:
    numbers = asked[name]
    if numbers is None or len(numbers) == 2:
        return numbers  # type: ignore[no-any-return]
    if len(numbers) == 1 and method is rules.Method.GAMMA_POISSON and asked["p0"] and window:
        return numbers[0], rules.gamma_rate(numbers[0], asked["p0"], window)
    option = "--" + name.replace("_", "-")
    raise _wrong(name, f"{option} takes two numbers, not {len(numbers)}", "as 0.4,1.6")


def _accrual(asked: Json) -> rules.Accrual | None:
    days = asked["accrual_days"]
    if days is None:
        return None
    if asked["window"] is None or not days > 0:
        raise _wrong(
            "accrual_days",
            "--accrual-days must be more than 0 and needs --window",
            "as --window 30 --accrual-days 365",
        )
    return rules.Accrual(asked["window"], days)


def _rates(design: rules.Design, asked: Sequence[float] | None) -> tuple[float, ...]:
    if asked is not None:
        if not all(0 <= rate <= 1 for rate in asked):
            raise _wrong("true_p", "--true-p lies between 0 and 1", "as --true-p 0.2,0.3")
        return tuple(asked)
    if design.p0 is None:
        return _BARE
    some = {round(design.p0 + step, 12) for step in _STEPS} | {design.p1 or design.p0}
    return tuple(sorted(rate for rate in some if rate < 1))


def _wrong(parameter: str, message: str, hint: str) -> rules.DesignError:
    return rules.DesignError((rules.Problem(parameter, message, hint),))


def _parameters(design: rules.Design) -> Json:
    """What the boundary was made of; what the method does not use is left out."""
    names = (*_PLAIN, "prior", "standard_prior", "threshold", "window_days")
    given = {name: getattr(design, name) for name in names}
    timed = design.outcome is rules.DesignOutcome.TIME_TO_EVENT
    return {
        "outcome": str(design.outcome),
        "n": design.n,
        "looks": design.looks,
        **{name: value for name, value in given.items() if value is not None},
        **({"max_info": str(design.max_info)} if timed else {}),
    }


def _boundary(bound: rules.Boundary) -> list[Json]:
    if bound.design.outcome is not rules.DesignOutcome.BINARY:
        return [{"events": events, "max_exposure": most} for events, most in bound.exposure]
    rows: list[Json] = [
        {"evaluable": size, "stop_at": events}
        for size, events in zip(bound.design.looks, bound.stop_at, strict=True)
    ]
    for row, accepted in zip(rows, bound.go_at, strict=False):
        row["accept_at"] = accepted
    return rows


def _row(row: rules.Characteristics) -> Json:
    found = {
        "p": row.p,
        "reject": row.reject,
        "expected_events": row.expected_events,
        "expected_evaluable": row.expected_evaluable,
        "accept": row.accept or None,
        "expected_pending": row.expected_pending,
        "expected_enrolled": row.expected_enrolled,
        "expected_events_enrolled": row.expected_events_enrolled,
        "expected_calendar_days": row.expected_calendar_days,
    }
    return {name: value for name, value in found.items() if value is not None}
