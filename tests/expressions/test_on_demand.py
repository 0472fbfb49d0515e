"""The library that is brought in late is the library."""

import pytest

from daypass.domain.expressions import InvalidExpressionError
from daypass.expressions.on_demand import ExpressionsOnDemand


def test_what_is_brought_in_late_decides_as_always() -> None:
    expressions = ExpressionsOnDemand()
    assert expressions.compile("request.reason == 'why'")({"request.reason": "why"})
    assert expressions.matches("^OPS-[0-9]+$", "OPS-1")
    with pytest.raises(InvalidExpressionError):
        expressions.compile("request.raeson == 'why'")
