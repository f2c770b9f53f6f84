"""Keys and certificates of one cluster: made anew at every start, thrown away with its state folder."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .paths import API_SERVICE_IP, NODE, PKI

_LIFETIME = datetime.timedelta(days=30)
# A certificate valid from now is refused by a peer whose clock is a second behind.
_BACKDATED = datetime.timedelta(minutes=5)
# Python 3.13 verifies strictly: it refuses an authority without key usage, and a certificate without its issuer's id.
_SIGNS = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True)
class Authority:
    """A certificate authority that signs for one purpose."""

    name: str
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def make(address: str) -> None:
    """Write all keys and certificates below the state folder. ``address``: the node's own IP address."""
    PKI.mkdir(parents=True, mode=0o700)
    ca = _authority("ca")
    # The aggregation layer trusts headers signed by this one: with the cluster's own CA any user could forge them.
    front_proxy = _authority("front-proxy-ca")
    everywhere = ["localhost", "127.0.0.1", address]
    api_names = [f"kubernetes{tail}" for tail in ("", ".default", ".default.svc", ".default.svc.cluster.local")]
    issue(ca, "apiserver", "kube-apiserver", names=[*api_names, *everywhere, API_SERVICE_IP])
    issue(ca, "apiserver-kubelet-client", "kube-apiserver-kubelet-client", groups=["system:masters"])
    issue(ca, "kubelet", f"system:node:{NODE}", groups=["system:nodes"], names=[NODE, *everywhere])
    issue(ca, "admin", "kube-magics-admin", groups=["system:masters"])
    issue(ca, "controller-manager", "system:kube-controller-manager", names=everywhere)
    issue(ca, "scheduler", "system:kube-scheduler", names=everywhere)
    issue(ca, "kube-proxy", "system:kube-proxy")
    issue(front_proxy, "front-proxy-client", "front-proxy-client")
    _service_account_key()


def certificate_path(name: str) -> Path:
    return PKI / f"{name}.crt"


def key_path(name: str) -> Path:
    return PKI / f"{name}.key"


def issue(ca: Authority, file: str, common_name: str, groups: Sequence[str] = (), names: Sequence[str] = ()) -> None:
    """Write a key and its certificate: user ``common_name`` in ``groups``, a server for ``names`` if there are any."""
    key = ec.generate_private_key(ec.SECP256R1())
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if names else [])]
    builder = (
        _builder(common_name, groups, ca.certificate.subject, key)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), False)
    _write(file, builder.sign(ca.key, hashes.SHA256()), key)


def _authority(name: str) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(f"kube-magics-test-{name}", ())
    certificate = (
        _builder(f"kube-magics-test-{name}", (), subject, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_SIGNS, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(name, certificate, key)
    return Authority(name, certificate, key)


def _builder(
    common_name: str, groups: Sequence[str], issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_subject(common_name, groups))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + _LIFETIME)
    )


def _subject(common_name: str, groups: Sequence[str]) -> x509.Name:
    organisations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*organisations, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _service_account_key() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    _write_key("service-accounts", key)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (PKI / "service-accounts.pub").write_bytes(public)


def _write(file: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    certificate_path(file).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    _write_key(file, key)


def _write_key(file: str, key: ec.EllipticCurvePrivateKey) -> None:
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    path = key_path(file)
    path.touch(mode=0o600)
    path.write_bytes(text)
