"""The API's own description: the OpenAPI document, and a page that needs no other server.

Who comes in: any key. Who goes out: the document that api.py installed.
"""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, render_template_string

from services.http.context import reply
from services.http.openapi import Blueprint
from services.http.schemas import Document

blueprint = Blueprint("docs", __name__, description="This description")

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Vigil API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}
h2{border-bottom:1px solid #bbb;margin-top:2.5rem}code,pre{font-family:ui-monospace,monospace}
summary{cursor:pointer;padding:.4rem 0}pre{background:#f4f4f4;padding:1rem;overflow:auto}
.method{display:inline-block;min-width:4.5rem;font-weight:700;text-transform:uppercase}
table{border-collapse:collapse}td,th{border:1px solid #bbb;padding:.2rem .6rem;text-align:left}
</style></head><body>
<h1>{{ spec.info.title }} {{ spec.info.version }}</h1>
<p>{{ spec.info.description }} As a document: <a href="/openapi.json">/openapi.json</a>.</p>
{% for tag in spec.tags %}<h2 id="{{ tag.name }}">{{ tag.name }}</h2><p>{{ tag.description }}</p>
{% for path, methods in spec.paths.items() %}{% for method, op in methods.items() %}
{% if method != "parameters" and tag.name in op.get("tags", []) %}
<details><summary><span class="method">{{ method }}</span> <code>{{ path }}</code>
{{ op.get("summary", "") }}</summary><p>{{ op.get("description", "") }}</p>
{% set parameters = methods.get("parameters", []) + op.get("parameters", []) %}
{% if parameters %}<table><tr><th>parameter</th><th>in</th><th>schema</th></tr>
{% for p in parameters %}<tr><td>{{ p.name }}{{ " *" if p.required else "" }}</td><td>{{ p.in }}</td>
<td><code>{{ p.schema | tojson }}</code></td></tr>{% endfor %}</table>{% endif %}
{% if op.requestBody %}<h4>Body</h4><pre>{{ op.requestBody.content | tojson(indent=1) }}</pre>{% endif %}
<h4>Answers</h4><ul>{% for status, answer in op.responses.items() %}
<li><code>{{ status }}</code> {{ answer.get("description") or answer.get("$ref", "").split("/")[-1] }}</li>
{% endfor %}</ul></details>{% endif %}{% endfor %}{% endfor %}{% endfor %}
<h2>Schemas</h2>{% for name, schema in spec.components.schemas.items() %}
<details id="schema-{{ name }}"><summary><code>{{ name }}</code></summary>
<pre>{{ schema | tojson(indent=1) }}</pre></details>{% endfor %}
</body></html>"""


@blueprint.route("/openapi.json")
@blueprint.answers(200, Document)
def openapi() -> Response:
    """The whole interface as an OpenAPI 3.1 document."""
    return reply(document())


@blueprint.route("/docs")
@blueprint.answers(200, None)
@blueprint.doc(responses={"200": {"content": {"text/html": {"schema": {"type": "string"}}}}})
def page() -> Response:
    """The same for people; works without internet access and without scripts."""
    return Response(render_template_string(PAGE, spec=document()), content_type="text/html; charset=utf-8")


def document() -> dict[str, Any]:
    """The document of this app."""
    api = current_app.extensions["flask-smorest"]["apis"][""]["ext_obj"]
    described: dict[str, Any] = api.spec.to_dict()
    return described
