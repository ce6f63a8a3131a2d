"""Certificates: a certification authority for development with what it signs, and the user's own files.

Under `data_dir/tls/`, made when it is not there: `ca.pem` and `ca-key.pem`, which stay, and `server.pem` and
`server-key.pem`, which are made anew when they are about to expire or the addresses change. PBXs are to trust
`ca.pem`. Private keys can be read by their owner only. Nothing here reads a clock.
"""

import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from tempfile import mkdtemp

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOSTS = "*.voiceconnector.chime.aws"
"""The outbound host names of all connectors."""
CA_LIFETIME, LIFETIME = timedelta(days=3650), timedelta(days=365)
RENEWAL = timedelta(days=30)
"""How long before its end a certificate is made anew."""
_BACKDATED = timedelta(hours=1)
"""So that a PBX whose clock is late takes a new certificate."""
_CA_KEY, _KEY = "ca-key.pem", "server-key.pem"


class CertificateError(ValueError):
    """A file cannot be used; the text is one line with its path and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its private key."""

    certificate: Path
    """PEM: its own certificate, then those of its chain."""
    private_key: Path
    """PEM."""
    ends: datetime
    """When it expires, UTC."""


# -- the user's own


def load(certificate: Path, private_key: Path, now: datetime) -> Pair:
    """The user's certificate and key. Raises CertificateError for whatever keeps them from being used."""
    own = certificates_in(certificate)[0]
    key = _private_key(private_key)
    if _spki(own.public_key()) != _spki(key.public_key()):
        raise CertificateError(f"{private_key}: is not the private key of the certificate in {certificate}")
    if now > own.not_valid_after_utc:
        raise CertificateError(f"{certificate}: has expired on {own.not_valid_after_utc:%Y-%m-%d %H:%M} UTC")
    if now < own.not_valid_before_utc:
        raise CertificateError(f"{certificate}: is not valid before {own.not_valid_before_utc:%Y-%m-%d %H:%M} UTC")
    return Pair(certificate, private_key, own.not_valid_after_utc)


def certificates_in(path: Path) -> list[x509.Certificate]:
    """All certificates in a PEM file. Raises CertificateError if it has none that can be read."""
    written = _read(path)
    try:
        return x509.load_pem_x509_certificates(written)
    except ValueError:
        problem = "holds a broken certificate" if b"-----BEGIN CERTIFICATE-----" in written else "holds no certificate"
        raise CertificateError(f"{path}: {problem}; it must be PEM (-----BEGIN CERTIFICATE-----)") from None


def _private_key(path: Path) -> PrivateKeyTypes:
    written = _read(path)
    try:
        return serialization.load_pem_private_key(written, None)
    except TypeError:
        raise CertificateError(
            f"{path}: is encrypted, and nobody can be asked for its password at start; "
            "store it without one: openssl pkey -in KEY -out NEW_KEY"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError(f"{path}: holds no private key; it must be PEM (-----BEGIN PRIVATE KEY-----)") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(f"{path}: cannot be read: {error.strerror}") from None


def _spki(key: object) -> bytes:
    public: bytes = key.public_bytes(  # type: ignore[attr-defined]  # every public key of cryptography has it
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return public


# -- the development authority


def authority(folder: Path, now: datetime) -> Pair:
    """The development CA in a folder, made if there is none yet or it has expired. Raises CertificateError."""
    certificate, key = folder / "ca.pem", folder / _CA_KEY
    if not certificate.exists() and not key.exists():
        _make_authority(folder, now)
    try:
        return load(certificate, key, now)
    except CertificateError as error:
        raise CertificateError(
            f"{error}. Remove {certificate} and {key} to have a new CA made, and give that to the PBXs"
        ) from None


def signed(folder: Path, addresses: Sequence[str], now: datetime) -> Pair:
    """A certificate of the development CA for all connectors and these IP addresses, kept while it serves.

    Raises CertificateError.
    """
    ca = authority(folder, now)
    issuer = certificates_in(ca.certificate)[0]
    certificate, key = folder / "server.pem", folder / _KEY
    # Whatever else has come to lie there is no certificate of this CA.
    with suppress(CertificateError, InvalidSignature, x509.ExtensionNotFound, TypeError, ValueError):
        known = load(certificate, key, now)
        own = certificates_in(certificate)[0]
        if own.issuer == issuer.subject and _addresses(own) == set(addresses) and now < known.ends - RENEWAL:
            own.verify_directly_issued_by(issuer)
            return known
    issuer_key = _private_key(ca.private_key)
    if not isinstance(issuer_key, rsa.RSAPrivateKey):
        raise CertificateError(f"{ca.private_key}: is no RSA key, which the suites of the service want")
    _sign(folder, issuer, issuer_key, addresses, now)
    return load(certificate, key, now)


def _make_authority(folder: Path, now: datetime) -> None:
    """Make it aside and put it in place in one step, as another process may do the same."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(mkdtemp(prefix=".tls-", dir=folder.parent))
    except OSError as error:
        raise CertificateError(f"{folder}: cannot be made: {error.strerror}") from None
    try:
        key = rsa.generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"voiceconnector development CA {now:%Y-%m-%d}")])
        identity = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        certificate = (
            _builder(name, name, key, now, CA_LIFETIME)
            .add_extension(x509.BasicConstraints(True, 0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(identity, critical=False)
            .sign(key, hashes.SHA256())
        )
        _write(aside / _CA_KEY, _pem_key(key), 0o600)
        _write(aside / "ca.pem", certificate.public_bytes(serialization.Encoding.PEM), 0o644)
        aside.chmod(0o755)
        if folder.is_dir():
            for made in aside.iterdir():
                made.replace(folder / made.name)
        else:
            with suppress(OSError):  # Another process was first; its CA is as good.
                aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _sign(
    folder: Path, issuer: x509.Certificate, issuer_key: rsa.RSAPrivateKey, addresses: Iterable[str], now: datetime
) -> None:
    key = rsa.generate_private_key(65537, 2048)
    names: list[x509.GeneralName] = [x509.DNSName(HOSTS)]
    names += [x509.IPAddress(ip_address(address)) for address in addresses]
    identity = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    certificate = (
        _builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOSTS)]), issuer.subject, key, now, LIFETIME)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(False, None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(identity, critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    chain = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (certificate, issuer))
    _write(folder / _KEY, _pem_key(key), 0o600)
    _write(folder / "server.pem", chain, 0o644)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: rsa.RSAPrivateKey, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + lifetime)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=not signs_certificates,  # For the suites without (EC)DHE.
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _addresses(certificate: x509.Certificate) -> set[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(address) for address in names.get_values_for_type(x509.IPAddress)}


def _pem_key(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes, mode: int) -> None:
    """Write a file anew, with its mode from its first byte on. Raises CertificateError."""
    aside = path.with_name(f".{path.name}.new")
    try:
        aside.unlink(missing_ok=True)
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
        aside.replace(path)
    except OSError as error:
        raise CertificateError(f"{path}: cannot be written: {error.strerror}") from None
