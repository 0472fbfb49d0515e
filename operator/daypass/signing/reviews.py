"""Signatures over reviews: made by the webhook alone, checked by whoever counts them."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import replace

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from daypass.domain.review import Review
from daypass.domain.reviews import signed_document
from daypass.signing.canonical import canonical_json

KEY_ID_DIGITS = 16


def key_id_of(public_key: Ed25519PublicKey) -> str:
    """Name a key by itself: the first 16 hex digits of SHA-256 of the raw public key."""
    return hashlib.sha256(public_key.public_bytes_raw()).hexdigest()[:KEY_ID_DIGITS]


def _signed_bytes(review: Review) -> bytes:
    return canonical_json(signed_document(review))


class ReviewSigner:
    """Signs with the active key; who verifies uses the published ones.

    ``keys`` are PKCS 8 PEM by key id, ``active`` the id of the one to sign with. Raises ValueError when
    a key is no Ed25519 key, is filed under another's id, or the active one is missing.
    """

    def __init__(self, keys: Mapping[str, bytes], active: str) -> None:
        private = {key_id: _private_key(key_id, pem) for key_id, pem in keys.items()}
        if active not in private:
            msg = f"the active signing key {active!r} is not among the keys"
            raise ValueError(msg)
        self._active = active
        self._private = private[active]

    def sign(self, review: Review) -> Review:
        """Fill in key id and signature; raises ValueError when the review has no canonical spelling."""
        named = replace(review, key_id=self._active, signature="")
        signature = self._private.sign(_signed_bytes(named))
        return replace(named, signature=base64.b64encode(signature).decode("ascii"))


class ReviewVerifier:
    """Checks reviews against the published public keys, PEM by key id; old keys stay published (T61).

    An entry that is no Ed25519 key, or is filed under another's id, is left out: what it signed is not genuine.
    """

    def __init__(self, public_keys: Mapping[str, bytes]) -> None:
        self._keys = {
            key_id: key for key_id, pem in public_keys.items() if (key := _public_key(key_id, pem)) is not None
        }

    def genuine(self, review: Review) -> bool:
        """Whether the signature is by a known key over these very fields; raises nothing."""
        key = self._keys.get(review.key_id)
        if key is None:
            return False
        try:
            key.verify(base64.b64decode(review.signature, validate=True), _signed_bytes(review))
        except (InvalidSignature, binascii.Error, ValueError):
            # Fail closed: what can't be read as a signature is none (T01).
            return False
        return True


def _private_key(key_id: str, pem: bytes) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        msg = f"the signing key {key_id!r} can't be read: {error}"
        raise ValueError(msg) from error
    if not isinstance(key, Ed25519PrivateKey):
        msg = f"the signing key {key_id!r} is no Ed25519 key"
        raise ValueError(msg)  # noqa: TRY004 - one error for every unusable key
    if key_id_of(key.public_key()) != key_id:
        msg = f"the signing key {key_id!r} is filed under another key's id"
        raise ValueError(msg)
    return key


def _public_key(key_id: str, pem: bytes) -> Ed25519PublicKey | None:
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        return None
    if not isinstance(key, Ed25519PublicKey) or key_id_of(key) != key_id:
        return None
    return key
