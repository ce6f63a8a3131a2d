"""The development CA, what it signs, and what is said of files of the user that cannot be used."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.authority import LONG_AGO, Authority
from voiceconnector.certificates import (
    HOSTS,
    RENEWAL,
    CertificateError,
    authority,
    certificates_in,
    load,
    signed,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ADDRESSES = ("127.0.0.1", "::1")


def serial(path: Path) -> int:
    return certificates_in(path)[0].serial_number


# -- the development authority


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that a first start has filled."""
    folder = tmp_path_factory.mktemp("data") / "tls"
    signed(folder, ADDRESSES, NOW)
    return folder


def test_the_first_start_makes_a_ca_and_a_certificate_of_it(made: Path) -> None:
    """RFC 5280 4.2.1.9, 4.2.1.3: only the CA may sign."""
    ca, (own, issuer) = certificates_in(made / "ca.pem")[0], certificates_in(made / "server.pem")
    assert issuer == ca
    own.verify_directly_issued_by(ca)
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not own.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert own.not_valid_after_utc - NOW == timedelta(days=365)


def test_it_is_for_every_host_name_and_the_addresses_of_the_listeners(made: Path) -> None:
    own = certificates_in(made / "server.pem")[0]
    names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [HOSTS] == ["*.voiceconnector.chime.aws"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == list(ADDRESSES)
    assert isinstance(own.public_key(), rsa.RSAPublicKey), "the suites of the service are those of RSA"


def test_private_keys_are_for_their_owner_only(made: Path) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in made.iterdir()}
    assert modes == {"ca.pem": 0o644, "ca-key.pem": 0o600, "server.pem": 0o644, "server-key.pem": 0o600}


def test_the_next_start_finds_what_the_first_has_made(made: Path) -> None:
    before = {path: path.read_bytes() for path in made.iterdir()}
    signed(made, ADDRESSES[::-1], NOW + timedelta(days=100))
    assert {path: path.read_bytes() for path in made.iterdir()} == before


def test_a_certificate_is_made_anew_for_other_addresses_before_its_end_and_of_another_ca(tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    first = signed(folder, ADDRESSES, NOW)
    ca = (folder / "ca.pem").read_bytes()
    serials = [serial(first.certificate)]
    for addresses, now in (
        (("127.0.0.1", "127.0.0.2"), NOW),
        (("127.0.0.1", "127.0.0.2"), NOW + timedelta(days=365) - RENEWAL),
    ):
        serials.append(serial(signed(folder, addresses, now).certificate))
    assert (folder / "ca.pem").read_bytes() == ca
    (folder / "ca.pem").unlink()
    (folder / "ca-key.pem").unlink()
    serials.append(serial(signed(folder, ADDRESSES, NOW + timedelta(days=1)).certificate))
    assert len(set(serials)) == 4
    certificates_in(folder / "server.pem")[0].verify_directly_issued_by(certificates_in(folder / "ca.pem")[0])


def test_a_ca_that_cannot_be_used_says_how_to_have_a_new_one(made: Path, tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match=r"ca\.pem: has expired on 2036-11-19 .* Remove .*ca\.pem and .*ca-key"):
        authority(made, NOW + timedelta(days=3651))
    folder = tmp_path / "tls"
    folder.mkdir()
    (folder / "ca.pem").write_bytes((made / "ca.pem").read_bytes())
    with pytest.raises(CertificateError, match=r"ca-key\.pem: cannot be read: No such file .* Remove"):
        authority(folder, NOW)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CertificateError, match="file/tls: cannot be made: File exists"):
        authority(tmp_path / "file" / "tls", NOW)


# -- the user's own


def test_a_certificate_of_the_user_is_taken_with_its_chain_and_end(tmp_path: Path) -> None:
    files = Authority(tmp_path).issue("own", "trunk.example")
    pair = load(files.certificate, files.private_key, datetime.now(UTC))
    assert (pair.certificate, pair.private_key) == (files.certificate, files.private_key)
    assert pair.ends == certificates_in(files.certificate)[0].not_valid_after_utc


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("no certificate", "missing.pem: cannot be read: No such file or directory"),
        ("no key", "missing.pem: cannot be read: No such file or directory"),
        ("text", "text.txt: holds no certificate; it must be PEM (-----BEGIN CERTIFICATE-----)"),
        ("broken", "broken.pem: holds a broken certificate; it must be PEM"),
        ("no PEM key", "own.pem: holds no private key; it must be PEM (-----BEGIN PRIVATE KEY-----)"),
        ("encrypted", "secret-key.pem: is encrypted, and nobody can be asked for its password at start; store"),
        ("other key", "other-key.pem: is not the private key of the certificate in "),
        ("expired", "old.pem: has expired on 2021-01-01 00:00 UTC"),
        ("not yet valid", "young.pem: is not valid before 2090-01-01 00:00 UTC"),
    ],
)
def test_what_keeps_a_file_from_being_used_is_said_with_its_path(tmp_path: Path, kind: str, told: str) -> None:
    issuer = Authority(tmp_path)
    own = issuer.issue("own", "trunk.example")
    certificate, key = own.certificate, own.private_key
    match kind:
        case "no certificate":
            certificate = tmp_path / "missing.pem"
        case "no key":
            key = tmp_path / "missing.pem"
        case "text":
            certificate = tmp_path / "text.txt"
            certificate.write_text("a certificate")
        case "broken":
            certificate = tmp_path / "broken.pem"
            certificate.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        case "no PEM key":
            key = own.certificate
        case "encrypted":
            files = issuer.issue("secret", "trunk.example", password=b"secret")
            certificate, key = files.certificate, files.private_key
        case "other key":
            key = issuer.issue("other", "trunk.example").private_key
        case "expired":
            files = issuer.issue("old", "a", begins=LONG_AGO, ends=LONG_AGO.replace(year=2021))
            certificate, key = files.certificate, files.private_key
        case "not yet valid":
            files = issuer.issue("young", "a", begins=LONG_AGO.replace(year=2090), ends=LONG_AGO.replace(year=2091))
            certificate, key = files.certificate, files.private_key
    with pytest.raises(CertificateError) as error:
        load(certificate, key, NOW if kind in ("expired", "not yet valid") else datetime.now(UTC))
    assert str(error.value).startswith(f"{tmp_path}/{told}")
    assert "\n" not in str(error.value)
