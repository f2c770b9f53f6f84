"""Until when certificates and tokens are good, read from real ones."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import pytest
from cryptography import x509

from kube_magics.cluster import login, validity
from tests.api import certificates
from tests.api.servers import access


def token(**claims: object) -> str:
    parts = ({"alg": "ES256"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "c2lnbmVk"])


@pytest.mark.parametrize("host", [None, "127.0.0.1"])
def test_a_certificate(tmp_path: Path, host: str | None) -> None:
    pem, _ = certificates.make(tmp_path, "me" * 20, host=host)
    truth = x509.load_pem_x509_certificate(pem.read_bytes()).not_valid_after_utc.timestamp()
    assert validity.of_certificate(pem.read_text()) == truth
    assert validity.of_certificate(f"Bag Attributes\n{pem.read_text()}{pem.read_text()}") == truth


@pytest.mark.parametrize("text", ["", "no PEM", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate(text: str) -> None:
    assert validity.of_certificate(text) is None


def test_a_certificate_that_is_cut_off(tmp_path: Path) -> None:
    pem, _ = certificates.make(tmp_path, "me")
    body = base64.b64decode("".join(pem.read_text().splitlines()[1:-1]))
    for size in range(0, len(body), 7):
        cut = base64.b64encode(body[:size]).decode()
        assert validity.of_certificate(f"-----BEGIN CERTIFICATE-----\n{cut}\n-----END CERTIFICATE-----") is None


def test_tokens() -> None:
    assert validity.of_token(token(exp=1234)) == 1234
    assert validity.of_token(token(exp=10**400)) is None
    for text in ("", "opaque", "a.b.c", token(), token(exp="soon"), token(exp=None)):
        assert validity.of_token(text) is None


def test_what_one_logs_in_with(tmp_path: Path) -> None:
    pem, key = certificates.make(tmp_path, "me")
    found = login.of(access("https://10.0.0.1", {"client-certificate": str(pem), "client-key": str(key)}))
    assert (found.kind, found.renews) == ("a client certificate", False)
    assert found.ends_at is not None
    assert 3000 < found.ends_at - time.time() < 3700
    assert login.of(access("https://10.0.0.1", {"token": token(exp=99)})) == login.Login("a token", 99.0)
    (tmp_path / "token").write_text("opaque\n")
    in_file = login.of(access("https://10.0.0.1", {"tokenFile": str(tmp_path / "token")}))
    assert in_file == login.Login("a token in a file", None, renews=True)
    assert login.of(access("https://10.0.0.1")) == login.Login("")


@pytest.mark.parametrize(
    ("user", "kind"),
    [
        ({"exec": {"command": "/usr/bin/aws"}, "token": "t"}, "the log-in program aws"),
        ({"auth-provider": {"name": "oidc"}}, "the log-in service oidc"),
        ({"username": "me", "password": "x"}, "a password"),
        ({}, ""),
    ],
)
def test_kinds(user: dict[str, object], kind: str) -> None:
    assert login.kind(user) == kind
