"""The port through which decisions evaluate policy expressions, and the facts they may use."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol, TypeAlias

Fact: TypeAlias = str | int | datetime | tuple[str, ...] | Mapping[str, str]
Facts: TypeAlias = Mapping[str, Fact]
"""The variables of design.md 2, by their dotted names."""


class UndecidedError(Exception):
    """Could not decide: never a yes and never a no (T11, T19). The text is for a person."""


class InvalidExpressionError(ValueError):
    """The expression does not compile, or its type is not bool. The text says where and why."""


class Predicate(Protocol):
    """A compiled expression."""

    def __call__(self, facts: Facts, /) -> bool:
        """Whether it holds; raises UndecidedError when it can't be evaluated."""
        ...


class Expressions(Protocol):
    """Compiles expressions; implementations cache what they compiled."""

    def compile(self, source: str) -> Predicate:
        """Compile and type-check; raises InvalidExpressionError."""
        ...

    def matches(self, pattern: str, text: str) -> bool:
        """Whether an RE2 pattern is found in the text; raises UndecidedError if it is no pattern."""
        ...
