"""Until when credentials are good, as they say themselves: X.509 certificates and JSON web tokens. Nothing is verified.

Read by hand, since Python's ssl shows only certificates of authorities, and a package for one date is one too many.
Formats: RFC 5280 (4.1: the fields of a certificate, in order) and RFC 7519.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from datetime import UTC, datetime

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_VERSION, _UTC_TIME = 0xA0, 0x17


def of_certificate(pem: str) -> float | None:
    """The end of the first certificate of a file, in seconds since the epoch; None: it cannot be read."""
    match = _PEM.search(pem)
    try:
        return _not_after(base64.b64decode(match[1])) if match else None
    except (ValueError, IndexError):
        return None


def of_token(token: str) -> float | None:
    """The end of a JSON web token; None: it is none, or has no end."""
    try:
        _, payload, _ = token.split(".")
        found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(found["exp"])
    except (ValueError, KeyError, TypeError, OverflowError, binascii.Error):
        return None


def _not_after(der: bytes) -> float:
    _, body, _ = _element(_element(der)[1])
    tag, _, rest = _element(body)
    for _ in range(3 if tag == _VERSION else 2):  # serial number, signature, issuer; the version may be left out
        _, _, rest = _element(rest)
    _, validity, _ = _element(rest)
    tag, value, _ = _element(_element(validity)[2])
    text = value.decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _element(der: bytes) -> tuple[int, bytes, bytes]:
    """Tag and content of the first element, and what stands behind it."""
    size, start = der[1], 2
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(der[2:start], "big")
    if start + size > len(der):
        raise ValueError("cut off")
    return der[0], der[start : start + size], der[start + size :]
