"""A protocol's paragraphs as plain text and as a page.

Who comes in: show, the web's pages. Who goes out: str.
"""

from __future__ import annotations

import html

from rules.protocol import Protocol
from rules.show.paragraphs import paragraphs

# A code and the fact made of it bear one name; in a page each has an id of its own.
PREFIXES = {
    "Amends": "amends-",
    "Parameters": "parameter-",
    "What may be published": "code-",
    "Facts": "fact-",
    "Gate before an infusion": "gate-",
    "Product": "product-",
    "Visits": "visit-",
    "Reporting clocks": "clock-",
    "Relations": "relation-",
    "Publishers' units": "publisher-",
}
STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}"
    "dt{font-weight:600}dd{margin:0 0 .3rem 1.5rem}p{white-space:pre-line}"
    "section{break-inside:avoid;border-top:1px solid #ccc}"
)


def as_text(protocol: Protocol) -> str:
    """Plain paragraphs under headings."""
    it = protocol.definition
    out = [f"{it.title}", f"{it.id}, version {it.version}; {it.time_zone}; target {it.target}", ""]
    for title, blocks in paragraphs(protocol):
        if not blocks:
            continue
        out += [title, "=" * len(title), ""]
        for heading, text, lines in blocks:
            out.append(f"{heading}  {text}".replace("\n", "\n    "))
            out += [f"    {label}: {value}".replace("\n", "\n      ") for label, value in lines]
            out.append("")
    return "\n".join(out)


def as_html(protocol: Protocol) -> str:
    """One page without scripts or links: it prints and works without internet access."""
    it, esc = protocol.definition, html.escape
    name = f"{esc(it.id)} {esc(it.version)}"
    return "\n".join(
        (
            "<!doctype html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{name}</title>',
            f"<style>{STYLE}</style></head><body>",
            f"<h1>{esc(it.title)}</h1>",
            f"<p>{name}; {esc(it.time_zone)}; target {it.target}</p>",
            as_sections(protocol),
            "</body></html>",
        )
    )


def as_sections(protocol: Protocol) -> str:
    """The same without its frame, from the second heading down: for a page of somebody else's."""
    out = []
    for title, blocks in paragraphs(protocol):
        if blocks:
            out.append(f"<h2>{html.escape(title)}</h2>")
            prefix = PREFIXES.get(title, "")
            out += [_section(prefix, *block) for block in blocks]
    return "\n".join(out)


def _section(prefix: str, heading: str, text: str, lines: list[tuple[str, str]]) -> str:
    esc = html.escape
    items = "".join(f"<dt>{esc(label)}</dt><dd>{esc(value)}</dd>" for label, value in lines)
    name = f'id="{prefix}{esc(heading)}"'
    return f"<section {name}><h3>{esc(heading)}</h3><p>{esc(text)}</p><dl>{items}</dl></section>"
