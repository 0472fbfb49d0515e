"""The webhook's certificates: an authority of our own, and serving certificates by it (T62)."""

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from daypass.app.installation.certificates import Certificate, KeyPair

AUTHORITY_LIFE = timedelta(days=3650)
SERVING_LIFE = timedelta(days=365)
BACKDATED = timedelta(hours=1)
"""Certificates are valid from a little before now: nodes' clocks differ (T32)."""


class OwnCertificates:
    """Implements ``app.certificates.Certificates`` with ECDSA P-256."""

    def found(self, now: datetime) -> KeyPair:
        """Make a certificate authority that signs itself and may sign serving certificates only."""
        key = ec.generate_private_key(ec.SECP256R1())
        # A name of its own for each authority, so that two in one bundle are never taken for each other.
        name = _named(f"daypass webhook authority {x509.random_serial_number():x}"[:60])
        usage = _usage(certificate_signing=True)
        builder = _builder(name, name, key.public_key(), now, AUTHORITY_LIFE)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(usage, critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        return _pair(builder.sign(key, hashes.SHA256()), key)

    def issue(self, authority: KeyPair, hosts: Sequence[str], now: datetime) -> KeyPair:
        """Make a serving certificate for these names and addresses; raises ValueError for an unusable authority."""
        signer = load_pem_private_key(authority.key, password=None)
        if not isinstance(signer, ec.EllipticCurvePrivateKey):
            msg = "the authority's key is no ECDSA key"
            raise ValueError(msg)  # noqa: TRY004 - one error for every unusable key
        issuer = x509.load_pem_x509_certificate(authority.certificate)
        key = ec.generate_private_key(ec.SECP256R1())
        life = min(SERVING_LIFE, issuer.not_valid_after_utc - now)
        builder = _builder(_named("daypass webhook"), issuer.subject, key.public_key(), now, life)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(certificate_signing=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        names = [_alternative(host) for host in hosts]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        known = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = builder.add_extension(known, critical=False)
        return _pair(builder.sign(signer, hashes.SHA256()), key)

    def read(self, pem: bytes) -> Certificate:
        """Read the first certificate of a PEM text; raises ValueError when there is none."""
        return _described(x509.load_pem_x509_certificate(pem))

    def read_all(self, pem: bytes) -> tuple[Certificate, ...]:
        """Read every certificate of a bundle; an empty or unreadable one holds none."""
        try:
            return tuple(_described(certificate) for certificate in x509.load_pem_x509_certificates(pem))
        except ValueError:
            return ()

    def issued(self, authority: Certificate, certificate: Certificate) -> bool:
        """Whether that authority signed that certificate."""
        issuer = x509.load_pem_x509_certificate(authority.pem)
        try:
            x509.load_pem_x509_certificate(certificate.pem).verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True

    def belong_together(self, pair: KeyPair) -> bool:
        """Whether the key is that of the certificate."""
        try:
            key = load_pem_private_key(pair.key, password=None)
            certificate = x509.load_pem_x509_certificate(pair.certificate)
        except (ValueError, TypeError):
            return False
        form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return key.public_key().public_bytes(*form) == certificate.public_key().public_bytes(*form)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - BACKDATED).not_valid_after(now + life)


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> KeyPair:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return KeyPair(certificate.public_bytes(Encoding.PEM), private)


def _described(certificate: x509.Certificate) -> Certificate:
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        hosts = frozenset(str(name.value) for name in alternatives)
    except x509.ExtensionNotFound:
        hosts = frozenset()
    return Certificate(
        pem=certificate.public_bytes(Encoding.PEM),
        hosts=hosts,
        valid_from=certificate.not_valid_before_utc,
        valid_until=certificate.not_valid_after_utc,
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, certificate_signing: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificate_signing,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificate_signing,
        crl_sign=certificate_signing,
        encipher_only=False,
        decipher_only=False,
    )
