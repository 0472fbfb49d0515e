"""Keys that sign reviews: made here, by ``daypass setup`` alone."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from daypass.app.installation.keyrings import SigningKey
from daypass.signing.reviews import key_id_of


class Ed25519Keys:
    """Implements ``app.keyrings.SigningKeys``."""

    def make(self) -> SigningKey:
        """Make a new key from the operating system's random source."""
        return _describe(Ed25519PrivateKey.generate())

    def read(self, private_key: bytes) -> SigningKey:
        """Read a stored key, PKCS 8 PEM; raises ValueError when it is none of ours."""
        try:
            key = load_pem_private_key(private_key, password=None)
        except (TypeError, UnsupportedAlgorithm) as error:
            raise ValueError(str(error)) from error
        if not isinstance(key, Ed25519PrivateKey):
            msg = "it is no Ed25519 key"
            raise ValueError(msg)  # noqa: TRY004 - one error for every unusable key
        return _describe(key)


def _describe(key: Ed25519PrivateKey) -> SigningKey:
    public_key = key.public_key()
    return SigningKey(
        key_id=key_id_of(public_key),
        private_key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        public_key=public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    )
