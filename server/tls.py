"""HTTPS by the server itself: the certificate and its key, checked before anything listens."""

from __future__ import annotations

import ssl
from pathlib import Path

from tracks.errors import InvalidRequest


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 and newer with this certificate chain. Blocking.

    Raises InvalidRequest when the files are no certificate and its key, or the key needs a passphrase.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password=_ask_nobody)
    except _PassphraseNeeded:
        raise InvalidRequest(f"the key {key} has a passphrase, and a server has nobody to ask for it") from None
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or error.strerror or "they cannot be read"
        raise InvalidRequest(f"{certificate} and {key} are no certificate and its key (PEM): {reason}") from None
    return context


class _PassphraseNeeded(Exception):
    pass


def _ask_nobody() -> str:
    # Without this OpenSSL asks on the terminal and waits.
    raise _PassphraseNeeded
