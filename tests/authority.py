"""A certification authority for tests: certificates of PBXs, good ones and bad ones of every kind."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from voiceconnector.sip.tls import Contexts, client_context, server_context
from voiceconnector.trunk.profile import LAB

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@dataclass(frozen=True, slots=True)
class Files:
    """A certificate and its key, as PEM files."""

    certificate: Path
    private_key: Path


def contexts(files: Files, ca: Path | None, *, verify: bool = True, key_log: Path | None = None) -> Contexts:
    """TLS either way with this certificate, where others are to be signed by a CA."""
    return Contexts(
        server_context(files.certificate, files.private_key, LAB.tls_ciphers, key_log),
        client_context(files.certificate, files.private_key, key_log, verify=verify, ca=ca),
    )


class Authority:
    """Signs what it is asked for."""

    def __init__(self, folder: Path, name: str = "test CA") -> None:
        self.folder = folder
        self._name = named(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = folder / f"{name}.pem"
        now = datetime.now(UTC)
        own = _built(self._name, self._name, self._key, now - timedelta(days=1), now + timedelta(days=1), (), ca=True)
        self.file.write_bytes(own.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(
        self,
        name: str,
        *names: str,
        begins: datetime | None = None,
        ends: datetime | None = None,
        rsa_key: bool = False,
        self_signed: bool = False,
        password: bytes = b"",
    ) -> Files:
        """A certificate for host names and IP addresses; `name` is that of its files."""
        key: Key = rsa.generate_private_key(65537, 2048) if rsa_key else ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        subject = named(name)
        issuer = subject if self_signed else self._name
        begins = begins or now - timedelta(days=1)
        certificate = _built(subject, issuer, key, begins, ends or now + timedelta(days=1), names, ca=False)
        signed = certificate.sign(key if self_signed else self._key, hashes.SHA256())
        encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        files = Files(self.folder / f"{name}.pem", self.folder / f"{name}-key.pem")
        files.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        files.private_key.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        )
        return files


def _built(
    subject: x509.Name,
    issuer: x509.Name,
    key: Key,
    begins: datetime,
    ends: datetime,
    names: tuple[str, ...],
    *,
    ca: bool,
) -> x509.CertificateBuilder:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
    )
    alternatives = [_alternative(name) for name in names]
    return builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False) if names else builder


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
