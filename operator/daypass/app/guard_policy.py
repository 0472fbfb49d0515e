"""Guard policies: a policy that can't work, or is looser than its author wrote, is refused when it is written."""

from dataclasses import dataclass

from daypass.app.admission import INVALID, Answer, Call, Operation, allow, refuse
from daypass.app.admit_knowledge import Knowledge
from daypass.app.guard_cycles import unless_cycle
from daypass.app.policy_validation import validate_policy
from daypass.domain.expressions import Expressions
from daypass.domain.policy import Policy
from daypass.domain.violations import Violation


@dataclass(frozen=True, slots=True)
class PolicyGuarding:
    """What guarding policies needs."""

    knowledge: Knowledge
    expressions: Expressions


def guard_policy(call: Call, needs: PolicyGuarding) -> Answer:
    """Judge a policy by itself, as ``daypass policy check`` does offline, and by the others that it names.

    Refused are unknown fields with their path, approver sets that are empty or can never reach ``required``,
    expressions that do not compile, and circles of ``unless`` (T10, T19). All violations are told at once.
    """
    if call.object is None or call.operation not in {Operation.CREATE, Operation.UPDATE}:
        return refuse("UnexpectedCall", "a policy is created or updated here", INVALID)
    policy, violations = validate_policy(call.object, needs.expressions)
    found = [*violations, *(_circle(policy, needs.knowledge) if policy is not None else ())]
    if found:
        return refuse("InvalidPolicy", "; ".join(str(violation) for violation in found), INVALID)
    return allow("ValidPolicy")


def _circle(policy: Policy, knowledge: Knowledge) -> tuple[Violation, ...]:
    unless = {each.name: each.match.unless for each in knowledge.policies()}
    path = unless_cycle(policy.name, {**unless, policy.name: policy.match.unless})
    if not path:
        return ()
    return (Violation("spec.match.unless", f"policies step aside for one another in a circle: {' → '.join(path)}"),)
