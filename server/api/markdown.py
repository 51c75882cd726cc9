"""The contract as a page of documentation, made of the OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .schemas import Schema

METHODS = ("get", "post", "put", "patch", "delete")
HEAD = """\
# The API

<!-- Written by `python -m scripts.api_docs`; a test compares it with the code. -->

"""
SETUP = """\
The same, to read and to look things up in, is at `/docs` of every server, and for programs at `/openapi.json`.

## Trying it

Every call below has a line for a shell. It works as it is against a server that `make run` started, from the folder of
the repository, once the variables in it are set:

```sh
{lines}
```

Where a server asks for tokens, add `-H "Authorization: Bearer $TOKEN"`. Who may use which call is in the table below;
what the roles are for, in [access.md](access.md). A peer that does not connect is closed after 15 s.
"""
SETTINGS = (
    ("SOURCE", "sourceId", "postSources"),
    ("SESSION", "sessionId", "postSessions"),
    ("EVENT", "id", "getSessionsBySessionIdEvents"),
    ("ARTIFACT", "artifactId", "postSessionsBySessionIdSnapshot"),
    ("PEER", "peerId", "postSessionsBySessionIdOffer"),
)
"""Variables of the shell: the field of an answer that each is, and the call that gives it."""
ADDRESSES = (
    ("PUBLISHED", "Vedette-Session", "postWhip", ""),
    ("WHIP", "Location", "postWhip", "?name=second"),
    ("WHEP", "Location", "postSessionsBySessionIdWhep", ""),
)
"""The same, of headers, each the last part of its path. Publishers with one name would take over from each other."""


def page(contract: Mapping[str, Any]) -> str:
    """The whole page."""
    parts = [HEAD, contract["info"]["description"], "\n", SETUP.replace("{lines}", "\n".join(_settings(contract)))]
    parts += _table(contract)
    for tag in contract["tags"]:
        parts.append(f"\n## {tag['name']}\n\n{tag['description']}\n")
        for path, method, operation in _operations(contract):
            if tag["name"] in operation["tags"]:
                parts += _operation(contract, path, method, operation)
    parts += _kinds(contract)
    parts += _codes(contract)
    return "".join(parts)


def _operations(contract: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in contract["paths"].items():
        for method in METHODS:
            if method in operations:
                yield path, method.upper(), operations[method]


def _curl(operation: Mapping[str, Any]) -> str:
    return str(operation["x-codeSamples"][0]["source"])


def _settings(contract: Mapping[str, Any]) -> Iterator[str]:
    """Lines of a shell that set the variables of the others; a source of kind `demo`, as nobody has to push it."""
    by_id = {operation["operationId"]: _curl(operation) for _, _, operation in _operations(contract)}
    yield r"""field() { sed -nE "s/.*\"$1\": ?\"([^\"]+)\".*/\1/p"; }  # the value of that name in an answer"""
    yield "TOKEN=$(.venv/bin/vedette token create --name curl --role admin)"
    for name, field, source in SETTINGS:
        call = by_id[source].replace("curl ", "curl -s ", 1).replace('"webcam"', '"demo"')
        # A session has no picture, and no event, for its first moments.
        yield f'until {name}=$({call} | field {field}); [ "${name}" ]; do sleep 1; done'
    yield r"""header() { tr -d '\r' | sed -nE "s|^$1: (.*/)?||p"; }  # the end of that header of an answer"""
    for name, header, source, query in ADDRESSES:
        call = by_id[source].replace("curl ", "curl -s -i ", 1).replace("/whip ", f"/whip{query} ", 1)
        yield f"{name}=$({call} | header {header})"


def _table(contract: Mapping[str, Any]) -> Iterator[str]:
    yield "\n## All calls\n\n| call | does | needs |\n|---|---|---|\n"
    for path, method, operation in _operations(contract):
        link = f"[`{method} {path}`](#{_anchor(operation['summary'])})"
        yield f"| {link} | {operation['summary']} | {operation['x-role'] or ''} |\n"


def _anchor(heading: str) -> str:
    """As GitHub makes it of a heading."""
    kept = "".join(each for each in heading.lower() if each.isalnum() or each in " -_")
    return kept.replace(" ", "-")


def _role(operation: Mapping[str, Any]) -> str:
    return f"needs {operation['x-role']}" if operation["x-role"] else "for everybody"


def _operation(contract: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"\n### {operation['summary']}\n\n`{method} {path}`, {_role(operation)}.\n"
    if "description" in operation:
        yield f"\n{operation['description'].strip()}\n"
    yield f"\n```sh\n{_curl(operation)}\n```\n"
    query = [each for each in operation.get("parameters", ()) if each["in"] == "query"]
    if query:
        yield _rows("parameter", [(each["name"], each["schema"], each.get("description", "")) for each in query])
    for schema in _bodies(contract, operation):
        required = schema.get("required", ())
        fields = schema.get("properties", {}).items()
        yield _rows(
            "field",
            [(name if name in required else f"{name}?", each, each.get("description", "")) for name, each in fields],
        )
    for status, answer in operation["responses"].items():
        if int(status) < 400 or not answer["description"].startswith("`"):
            yield f"\n**{status}** {_one_line(answer['description'])}{_types(answer)}\n"
            yield _example(contract, answer)
    codes = [code for answer in operation["responses"].values() for code in _codes_of(answer)]
    if codes:
        yield f"\nErrors: {', '.join(f'`{code}`' for code in codes)}.\n"


def _bodies(contract: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[Schema]:
    for media in operation.get("requestBody", {}).get("content", {}).values():
        if "$ref" in media.get("schema", {}):
            yield _named(contract, media["schema"]["$ref"])


def _named(contract: Mapping[str, Any], ref: str) -> Schema:
    schema: Schema = contract["components"]["schemas"][ref.rpartition("/")[2]]
    return schema


def _types(answer: Mapping[str, Any]) -> str:
    others = [name for name in answer.get("content", {}) if name != "application/json"]
    return f" ({', '.join(others)})" if others else ""


def _example(contract: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    examples = _named(contract, schema["$ref"]).get("examples", ()) if "$ref" in schema else ()
    return f"\n```json\n{json.dumps(examples[0], indent=2, ensure_ascii=False)}\n```\n" if examples else ""


def _codes_of(answer: Mapping[str, Any]) -> Sequence[str]:
    media = answer.get("content", {}).get("application/json", {})
    return list(media.get("examples", ()))


def _rows(head: str, rows: Sequence[tuple[str, Schema, str]]) -> str:
    lines = [f"| `{name}` | {_type(schema)} | {_one_line(says)} |\n" for name, schema, says in rows]
    return f"\n| {head} | type | |\n|---|---|---|\n{''.join(lines)}"


def _type(schema: Schema) -> str:
    """In a few words, fit for a cell of a table."""
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        return " or ".join(_type(each) for each in choices)
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "const" in schema or "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}" if "items" in schema else f"{len(schema['prefixItems'])} numbers"
    if "contentMediaType" in schema:
        return "file"
    bounds = [
        f"{word} {schema[key]:g}"
        for key, word in (("minimum", "at least"), ("maximum", "at most"))
        if isinstance(schema.get(key), int | float)
    ]
    return " ".join((str(schema.get("type", "any")), *([f"({', '.join(bounds)})"] if bounds else [])))


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _kinds(contract: Mapping[str, Any]) -> Iterator[str]:
    yield "\n## Kinds of events\n\nWhat `data` of an event has, by its `kind`; a field with `?` may be absent.\n"
    mapping = contract["components"]["schemas"]["AnyEvent"]["discriminator"]["mapping"]
    for kind, ref in mapping.items():
        data = _named(contract, _named(contract, ref)["properties"]["data"]["$ref"])
        required = data.get("required", ())
        yield f"\n### {kind}\n\n{_one_line(data['description'])}\n"
        yield _rows(
            "field",
            [
                (name if name in required else f"{name}?", each, each.get("description", ""))
                for name, each in data["properties"].items()
            ],
        )


def _codes(contract: Mapping[str, Any]) -> Iterator[str]:
    yield "\n## Error codes\n\n| code | means |\n|---|---|\n"
    for code, example in contract["components"]["examples"].items():
        yield f"| `{code}` | {example['summary']} |\n"
