"""Ed25519 and RFC 8785; the only importer of ``cryptography`` and ``rfc8785``."""
