"""The one spelling of a JSON document, so that two processes sign and digest the same bytes."""

import rfc8785

from daypass.app.ports import Json


def canonical_json(document: Json) -> bytes:
    """Spell a document by RFC 8785 (JSON Canonicalization Scheme), as UTF-8.

    Raises ValueError for what that scheme can't hold: integers beyond 2^53, NaN, lone surrogates,
    keys that are no strings, nesting without end. Whoever digests or signs then refuses: bytes that
    two readers could understand differently are never agreed to.
    """
    try:
        return rfc8785.dumps(document)
    except (rfc8785.CanonicalizationError, RecursionError, TypeError) as error:
        msg = f"no canonical JSON: {error}"
        raise ValueError(msg) from error
