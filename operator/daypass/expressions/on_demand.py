"""CEL for a process that may never need it: the library takes 12 MiB, and many policies have no expression."""

from daypass.domain.expressions import Expressions, Predicate


class ExpressionsOnDemand:
    """Brings the library in with the first expression."""

    def __init__(self) -> None:
        self._found: Expressions | None = None

    def compile(self, source: str) -> Predicate:
        """As ``CelExpressions`` does."""
        return self._expressions().compile(source)

    def matches(self, pattern: str, text: str) -> bool:
        """As ``CelExpressions`` does."""
        return self._expressions().matches(pattern, text)

    def _expressions(self) -> Expressions:
        if self._found is None:
            from daypass.expressions.cel import CelExpressions  # noqa: PLC0415 - it is what is put off

            self._found = CelExpressions()
        return self._found
