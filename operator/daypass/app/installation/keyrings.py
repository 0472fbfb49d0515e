"""Which key signs reviews, and which public keys are published for those who verify (T61)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

ACTIVE: Final = "active"
SUFFIX: Final = ".pem"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair for reviews; private PKCS 8 PEM, public SubjectPublicKeyInfo PEM."""

    key_id: str
    private_key: bytes
    public_key: bytes


class SigningKeys(Protocol):
    """Makes and reads signing keys; ``signing`` implements it."""

    def make(self) -> SigningKey:
        """Make a new key."""
        ...

    def read(self, private_key: bytes) -> SigningKey:
        """Read a stored key; raises ValueError."""
        ...


@dataclass(frozen=True, slots=True)
class Keyring:
    """What to store: the entries of the private Secret, and the public keys that must be published."""

    entries: Mapping[str, bytes]
    public_keys: Mapping[str, bytes]


def keyring(keys: SigningKeys, stored: Mapping[str, bytes], *, rotate: bool) -> Keyring:
    """Keep the stored key, or make one where there is none or a new one is asked for.

    Only the active private key is kept: reviews by earlier ones are verified by their public keys, which stay
    published. Raises ValueError when something is stored that can't be used: a key is never thrown away silently,
    for reviews by it would be void.
    """
    key = keys.make() if rotate or not stored else _active(keys, stored)
    entries = {f"{key.key_id}{SUFFIX}": key.private_key, ACTIVE: key.key_id.encode()}
    return Keyring(entries, {key.key_id: key.public_key})


def _active(keys: SigningKeys, stored: Mapping[str, bytes]) -> SigningKey:
    active = stored.get(ACTIVE, b"").decode("ascii", errors="replace").strip()
    pem = stored.get(f"{active}{SUFFIX}")
    if not active or pem is None:
        msg = "it names no active key"
        raise ValueError(msg)
    key = keys.read(pem)
    if key.key_id != active:
        msg = f"the key {active} is filed under another's id"
        raise ValueError(msg)
    return key
