"""Decides whether a policy may be written: one judgement for the webhook and for ``daypass policy check``."""

from collections.abc import Iterable

from daypass.api import convert
from daypass.app.ports import Json
from daypass.domain import policy_rules
from daypass.domain.expressions import Expressions
from daypass.domain.gate_bounds import DEFAULT_BOUNDS, Bounds
from daypass.domain.policy import Policy
from daypass.domain.violations import Violation


def validate_policy(
    body: Json, expressions: Expressions, others: Iterable[Policy] = (), bounds: Bounds = DEFAULT_BOUNDS
) -> tuple[Policy | None, tuple[Violation, ...]]:
    """The policy that a JSON object says, and everything that is wrong with it, each with the path of its field.

    Rule: first the shape (unknown fields, limits, what CEL rules of the resource say too), and if that can be read,
    what the domain says of the policy by itself and beside ``others``, and its expressions, compiled and
    type-checked (T10, T19, T51). ``bounds`` is what no gate covers. The policy is None where the shape could not be read.
    """
    try:
        policy = convert.policy_from(body)
    except convert.MalformedError as error:
        return None, error.violations
    return policy, (
        *policy_rules.violations(policy, others, bounds),
        *policy_rules.expression_violations(policy, expressions),
    )
