"""A signature covers every field, by a key that is known, or it is none."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from builders import NOON, a_person
from daypass.domain.identity import Identity
from daypass.domain.review import Review, ReviewDecision
from daypass.signing.canonical import canonical_json
from daypass.signing.reviews import ReviewSigner, ReviewVerifier, key_id_of

KEY = Ed25519PrivateKey.generate()
KEY_ID = key_id_of(KEY.public_key())
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
SIGNER = ReviewSigner({KEY_ID: PEM}, KEY_ID)
VERIFIER = ReviewVerifier({KEY_ID: PUBLIC})
VOTE = Review(
    1,
    "uid-1",
    "ab" * 32,
    ReviewDecision.APPROVE,
    replace(a_person("bob"), uid="7", extra={"scopes": ("a", "b")}),
    NOON,
    key_id="",
    signature="",
    comment="fine",
)


def test_what_is_signed_is_genuine() -> None:
    signed = SIGNER.sign(VOTE)
    assert signed.key_id == KEY_ID
    assert VERIFIER.genuine(signed)


@pytest.mark.parametrize(
    "change",
    [
        {"request_uid": "uid-2"},
        {"digest": "cd" * 32},
        {"digest_confirmed": True},
        {"decision": ReviewDecision.DENY},
        {"comment": ""},
        {"time": NOON.replace(second=1)},
        {"version": 2},
        {"reviewer": replace(VOTE.reviewer, username="carol")},
        {"reviewer": replace(VOTE.reviewer, uid="")},
        {"reviewer": replace(VOTE.reviewer, groups=())},
        {"reviewer": replace(VOTE.reviewer, extra={})},
        {"signature": ""},
        {"signature": "????"},
        {"signature": "AAAA"},
        {"signature": "\u00e9"},
        {"key_id": "0" * 16},
        {"key_id": ""},
    ],
    ids=str,
)
def test_t01_no_field_can_be_changed(change: Mapping[str, Any]) -> None:
    assert not VERIFIER.genuine(replace(SIGNER.sign(VOTE), **change))


def test_t12_what_has_no_canonical_spelling_is_not_genuine() -> None:
    assert not VERIFIER.genuine(replace(SIGNER.sign(VOTE), comment="\ud800"))
    with pytest.raises(ValueError, match="no canonical JSON"):
        SIGNER.sign(replace(VOTE, comment="\ud800"))


@given(st.text(max_size=20), st.text(max_size=20), st.lists(st.text(max_size=5), max_size=3))
def test_t01_no_text_breaks_verification(key_id: str, signature: str, groups: list[str]) -> None:
    odd = replace(VOTE, key_id=key_id, signature=signature, reviewer=Identity("x", groups=tuple(groups)))
    assert not VERIFIER.genuine(odd)
    assert not VERIFIER.genuine(replace(odd, key_id=KEY_ID))


def test_t61_unusable_public_keys_verify_nothing() -> None:
    other = Ed25519PrivateKey.generate().public_key()
    filed_wrongly = other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    elliptic = generate_private_key(SECP256R1()).public_key()
    of_another_kind = elliptic.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for pem in (b"", b"no key", filed_wrongly, of_another_kind, PEM):
        verifier = ReviewVerifier({KEY_ID: pem})
        assert not verifier.genuine(SIGNER.sign(VOTE))


@pytest.mark.parametrize(
    ("keys", "active"),
    [({}, ""), ({KEY_ID: PEM}, "other"), ({KEY_ID: b"no key"}, KEY_ID), ({"0" * 16: PEM}, "0" * 16)],
    ids=["none", "not the active one", "no key", "under a false id"],
)
def test_t61_unusable_signing_keys_are_refused(keys: Mapping[str, bytes], active: str) -> None:
    with pytest.raises(ValueError, match="signing key"):
        ReviewSigner(keys, active)


def test_canonical_json_is_rfc_8785() -> None:
    assert (
        canonical_json({"b": [1, 2.0, None], "a": "\u20ac", "\u00e9": {}}) == '{"a":"€","b":[1,2,null],"é":{}}'.encode()
    )


@pytest.mark.parametrize("odd", [{"a": 2**60}, {"a": float("nan")}, {"a": "\ud800"}, {"a": object()}])
def test_what_canonical_json_cannot_hold_is_an_error(odd: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match="no canonical JSON"):
        canonical_json(odd)
