"""Which certificates the webhook serves with and the API server trusts, and when they are renewed (T62)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

AUTHORITY_RENEWED_BEFORE: Final = timedelta(days=730)
"""An authority is renewed while every certificate that it signs still ends before it does."""
SERVING_RENEWED_BEFORE: Final = timedelta(days=120)
"""A third of its life: months in which a setup that fails can be noticed (metric of days left)."""
OVERLAP: Final = timedelta(days=1)
"""How long an earlier authority stays trusted after a new certificate was issued: kubelets need minutes."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Certificate:
    """What matters of a certificate here."""

    pem: bytes
    hosts: frozenset[str]
    valid_from: datetime
    valid_until: datetime


class Certificates(Protocol):
    """Makes and reads certificates; ``signing`` implements it."""

    def found(self, now: datetime) -> KeyPair:
        """Make a certificate authority."""
        ...

    def issue(self, authority: KeyPair, hosts: Sequence[str], now: datetime) -> KeyPair:
        """Make a serving certificate by that authority."""
        ...

    def read(self, pem: bytes) -> Certificate:
        """Read one certificate; raises ValueError."""
        ...

    def read_all(self, pem: bytes) -> tuple[Certificate, ...]:
        """Read a bundle; what can't be read is left out."""
        ...

    def issued(self, authority: Certificate, certificate: Certificate) -> bool:
        """Whether that authority signed that certificate."""
        ...

    def belong_together(self, pair: KeyPair) -> bool:
        """Whether the key is that of the certificate."""
        ...


def authority_is_good(certificates: Certificates, pair: KeyPair, now: datetime) -> bool:
    """Whether an authority is whole and lives long enough to be kept."""
    if not certificates.belong_together(pair):
        return False
    certificate = certificates.read(pair.certificate)
    return certificate.valid_from <= now and certificate.valid_until - now > AUTHORITY_RENEWED_BEFORE


def serving_is_good(
    certificates: Certificates, pair: KeyPair, authority: KeyPair, hosts: Sequence[str], now: datetime
) -> bool:
    """Whether a serving certificate is whole, by this authority, for these hosts, and not near its end."""
    if not certificates.belong_together(pair):
        return False
    serving = certificates.read(pair.certificate)
    return (
        certificates.issued(certificates.read(authority.certificate), serving)
        and serving.hosts == frozenset(hosts)
        and serving.valid_from <= now
        and serving.valid_until - now > SERVING_RENEWED_BEFORE
    )


def trusted_bundle(
    certificates: Certificates, authority: KeyPair, earlier: bytes, serving: bytes, now: datetime
) -> bytes:
    """The authorities that the API server shall trust: the current one, and earlier ones during a change.

    ``earlier`` is the bundle of the last run, ``serving`` the certificate that the webhook may still serve with.
    Earlier authorities stay until the current one's certificate has been out for a day; expired ones go at once.
    """
    current = certificates.read(authority.certificate)
    out = [certificate for certificate in certificates.read_all(serving) if certificates.issued(current, certificate)]
    if out and now - out[0].valid_from > OVERLAP:
        return current.pem
    kept = [
        certificate.pem
        for certificate in certificates.read_all(earlier)
        if certificate.pem != current.pem and certificate.valid_until > now
    ]
    return b"".join([current.pem, *kept])
