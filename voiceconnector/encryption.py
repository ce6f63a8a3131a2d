"""What TLS connections are begun with: certificates of the configuration, or of the development CA, and the profile."""

import logging
import os
from datetime import datetime, timedelta
from pathlib import Path

from . import certificates
from .certificates import RENEWAL, CertificateError, Pair
from .config import Config
from .sip.connections import Connections
from .sip.tls import Contexts, client_context, server_context

log = logging.getLogger(__name__)

RETRY = timedelta(days=1)
"""After what could not be renewed."""


def tls_folder(config: Config) -> Path:
    """Where the development CA is kept."""
    return config.data_dir / "tls"


def check_files(config: Config, now: datetime) -> Pair | None:
    """The user's own certificate, None if there is none. Raises CertificateError for files that cannot be used."""
    files = config.tls
    if files.ca:
        certificates.certificates_in(files.ca)
    if files.certificate and files.private_key:
        return certificates.load(files.certificate, files.private_key, now)
    return None


class Encryption:
    """The certificates in force."""

    def __init__(self, config: Config, connections: Connections) -> None:
        """`connections` get what `renew` makes."""
        regions = config.regions.values()
        hosts = [host for region in regions for host in (region.tls.host, *region.further_addresses)]
        self._config = config
        self._connections = connections
        self._addresses = tuple(dict.fromkeys(hosts))
        self._due: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether the certificate of the development CA should be made anew."""
        return self._due is not None and now > self._due

    def renew(self, now: datetime) -> Pair:
        """Read, or make, the certificates there are now; what PBXs are shown.

        Raises ValueError, in one line, for what cannot be used; then nothing has changed.
        """
        files, profile = self._config.tls, self._config.profile
        own = check_files(self._config, now)
        made = certificates.signed(tls_folder(self._config), self._addresses, now)
        shown = own or made
        if files.key_log:
            _make_key_log(files.key_log)
        server = server_context(shown.certificate, shown.private_key, profile.tls_ciphers, files.key_log)
        verify = profile.verify_tls_certificates
        client = client_context(made.certificate, made.private_key, files.key_log, verify=verify, ca=files.ca)
        self._connections.tls = Contexts(server, client)
        self._due = made.ends - RENEWAL
        return shown

    def reload(self, now: datetime) -> None:
        """The same while calls go on: what cannot be used is told, and the certificates stay."""
        try:
            shown = self.renew(now)
        except ValueError as error:
            log.warning("%s; TLS goes on with the certificate it had", error)
            self._due = now + RETRY
        else:
            log.info("New TLS connections are shown %s, valid until %s UTC", shown.certificate, f"{shown.ends:%F %R}")


def _make_key_log(path: Path) -> None:
    """Have it there for its owner only: who reads it reads every call."""
    log.warning("The secrets of all TLS connections are written to %s (tls.key_log)", path)
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    except OSError as error:
        raise CertificateError(f"tls.key_log = '{path}': cannot be written: {error.strerror}") from None
