"""The command line that calls a route, as people would type it."""

from __future__ import annotations

import json
import mimetypes
import re
import shlex
from collections.abc import Sequence
from typing import Any

from signaling.messages import PROTOCOL

from .route import Form, RawBody, Route

SERVER = "http://127.0.0.1:8000"
HANDSHAKE = (
    "-H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' "
    f"-H 'Sec-WebSocket-Key: dmVkZXR0ZS12ZWRldHRlLQ==' -H 'Sec-WebSocket-Protocol: {PROTOCOL}'"
)
"""What opens a WebSocket (RFC 6455 section 4.1): curl shows the answer, and that is all it can do with one."""

_ID = re.compile(r"\{(\w+)_id\}")
_FIELD = re.compile(r'"(\w+Id|token)": "[^"]*"')
"""What of a body differs from shell to shell."""


def curl_of(route: Route, body: Any = None) -> str:
    """One line for a shell in which SOURCE, SESSION and so on are ids, and TOKEN is a token.

    `body` is an example of a JSON body. `docs/api.md` says how to set the variables.
    """
    path = route.curl_path or _ID.sub(lambda found: f"${found[1].upper()}", route.path)
    for name, value in route.samples.items():
        path = re.sub(rf"\{{{name}(:[^{{}}]*)?\}}", value, path)
    if any(answer.status == 101 for answer in route.answers):
        return f"curl -i -N --max-time 1 {HANDSHAKE} {SERVER}{path}"
    words = ["curl", *_output(route)]
    sends = isinstance(route.body, Form | RawBody) or body is not None
    if route.method != ("POST" if sends else "GET"):
        words.append(f"-X {route.method}")
    words.append(SERVER + path)
    if isinstance(route.body, Form | RawBody):
        words += _file(route.body)
    elif sends:
        words.append(f"-H 'Content-Type: application/json' -d {_json(body)}")
    return " ".join(words)


def _output(route: Route) -> Sequence[str]:
    """Bytes go to a file: a terminal shows none."""
    for answer in route.answers:
        for media_type in answer.media_types:
            if not media_type.startswith("text/") and answer.model is None and answer.status == 200:
                name = route.path.split("/")[1].removesuffix("s")
                return [f"-o {name}{mimetypes.guess_extension(media_type) or ''}"]
    return []


def _file(body: Form | RawBody) -> Sequence[str]:
    form = body.form if isinstance(body, RawBody) else body.model
    if isinstance(body, RawBody) and form is None:
        headers = {"Content-Type": body.media_types[0], **body.headers}
        return [*(f"-H '{name}: {value}'" for name, value in headers.items()), f"--data-binary @{body.sample}"]
    assert form is not None
    needed = {name: info for name, info in form.model_fields.items() if info.is_required() and name != "file"}
    return [f"-F file=@{body.sample}", *(f"-F {name}={(info.examples or [''])[0]}" for name, info in needed.items())]


def _json(body: Any) -> str:
    """The body in single quotes, with ids and tokens in it as variables of the shell."""
    text = shlex.quote(json.dumps(body, ensure_ascii=False))
    return _FIELD.sub(lambda found: f'"{found[1]}": "\'"${found[1].removesuffix("Id").upper()}"\'"', text)
