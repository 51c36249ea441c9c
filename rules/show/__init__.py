"""A protocol as a person reads it: text, html, json.

Who comes in: `vigil protocol show`, the pages and the HTTP door. Who goes out: str, or a dict.
"""

from rules.protocol import Protocol
from rules.show.pages import as_html, as_sections, as_text
from rules.show.plain import Json, as_json

FORMATS = ("text", "html", "json")

__all__ = ["FORMATS", "as_html", "as_json", "as_sections", "as_text", "show"]


def show(protocol: Protocol, form: str = "text") -> str | Json:
    """The whole protocol; `form` is text, html or json (a dict). Raises ValueError otherwise."""
    if form == "json":
        return as_json(protocol)
    if form == "text":
        return as_text(protocol)
    if form == "html":
        return as_html(protocol)
    raise ValueError(f"one of {', '.join(FORMATS)}")
