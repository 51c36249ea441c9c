"""`vigil bench`: what this machine does, beside its limits.

Who comes in: a person, or `make bench`. Who goes out: services.bench.
"""

from __future__ import annotations

import click
import orjson

from services import bench


@click.command(name="bench")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on one line.")
def command(*, as_json: bool) -> None:
    """Measure this machine; takes one to two minutes."""
    figures = bench.run(lambda text: click.echo(f"measuring {text}", err=True))
    click.echo(orjson.dumps(figures, option=0 if as_json else orjson.OPT_INDENT_2))
