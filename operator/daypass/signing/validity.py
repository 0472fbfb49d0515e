"""How long a certificate is good for."""

from datetime import datetime

from cryptography import x509


def not_after(pem: bytes) -> datetime:
    """When the first certificate of a PEM chain ends, UTC; raises ValueError when it can't be read (T62)."""
    return x509.load_pem_x509_certificate(pem).not_valid_after_utc
