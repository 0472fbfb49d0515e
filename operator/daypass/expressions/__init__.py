"""CEL behind the port of ``domain.expressions``; the only importer of the CEL library."""
