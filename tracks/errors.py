"""The errors that reach a client, each with a stable code.

VedetteError
 ├── InvalidRequest      invalid_request      400
 ├── ForbiddenUrl        forbidden_url        403
 ├── NotFound            not_found            404
 ├── Conflict            conflict             409
 ├── PreconditionFailed  precondition_failed  412
 ├── PayloadTooLarge     payload_too_large    413
 ├── UnsupportedMedia    unsupported_media    415
 ├── Unprocessable       unprocessable        422
 ├── ConditionMissing    condition_missing    428
 ├── RateLimited         rate_limited         429
 ├── ModelUnavailable    model_unavailable    503
 ├── Overloaded          overloaded           503
 ├── SourceUnreachable   source_unreachable   502
 ├── StorageFull         storage_full         507
 └── DatabaseUnavailable db_unavailable       503

Codes with no class of their own yet are in `CODES`; a class lands with the feature that raises it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

CODES: Mapping[str, int] = {
    "invalid_request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "precondition_failed": 412,
    "payload_too_large": 413,
    "unsupported_media": 415,
    "unprocessable": 422,
    "condition_missing": 428,
    "rate_limited": 429,
    "internal": 500,
    "source_unreachable": 502,
    "forbidden_url": 403,
    "overloaded": 503,
    "model_unavailable": 503,
    "db_unavailable": 503,
    "storage_full": 507,
}
"""Every stable error code and the HTTP status it answers with."""


class VedetteError(Exception):
    """An error for a client: a stable code, a message that names the value and the choices, and details."""

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details) if details else None

    @property
    def status(self) -> int:
        """HTTP status of this code."""
        return CODES[self.code]

    def body(self) -> dict[str, Any]:
        """`{code, message, details?}`, the inside of the error envelope on every surface."""
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details is not None:
            body["details"] = self.details
        return body


class InvalidRequest(VedetteError):
    """The request cannot be understood or breaks a rule of its schema."""

    code = "invalid_request"


class ForbiddenUrl(VedetteError):
    """A URL leads where sources may not lead."""

    code = "forbidden_url"


class NotFound(VedetteError):
    """There is no such resource."""

    code = "not_found"


class Conflict(VedetteError):
    """The resource is in a state that does not allow this."""

    code = "conflict"


class PreconditionFailed(VedetteError):
    """It is another one by now than the one that the request is meant for."""

    code = "precondition_failed"


class PayloadTooLarge(VedetteError):
    """More than the server takes: bytes, seconds or pixels."""

    code = "payload_too_large"


class UnsupportedMedia(VedetteError):
    """No codec, kind or format that this server takes."""

    code = "unsupported_media"


class Unprocessable(VedetteError):
    """An offer that can be understood, but not be taken as a whole."""

    code = "unprocessable"


class ConditionMissing(VedetteError):
    """The request must say which one it is meant for."""

    code = "condition_missing"


class RateLimited(VedetteError):
    """Too many messages or requests."""

    code = "rate_limited"


class ModelUnavailable(VedetteError):
    """A model is missing, hostile, has the wrong hash or cannot run here."""

    code = "model_unavailable"


class Overloaded(VedetteError):
    """A bounded resource is used up."""

    code = "overloaded"


class SourceUnreachable(VedetteError):
    """A source cannot be opened or gives nothing."""

    code = "source_unreachable"


class StorageFull(VedetteError):
    """There is no room left to keep what was asked for."""

    code = "storage_full"


class DatabaseUnavailable(VedetteError):
    """The database cannot be reached or refuses to write."""

    code = "db_unavailable"
