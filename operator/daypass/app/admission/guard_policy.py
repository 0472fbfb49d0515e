"""Guard policies: a policy that can't work, or is looser than its author wrote, is refused when it is written."""

from dataclasses import dataclass

from daypass.app.admission.answer import INVALID, Answer, Call, Operation, refuse
from daypass.app.admission.knowledge import Knowledge
from daypass.app.policies.validation import validate_policy
from daypass.domain import gate_answers, gate_rules, policy_rules
from daypass.domain.expressions import Expressions
from daypass.domain.gate_bounds import DEFAULT_BOUNDS, Bounds


@dataclass(frozen=True, slots=True)
class PolicyGuarding:
    """What guarding policies needs."""

    knowledge: Knowledge
    expressions: Expressions
    bounds: Bounds = DEFAULT_BOUNDS


def guard_policy(call: Call, needs: PolicyGuarding) -> Answer:
    """Judge a policy by itself, as ``daypass policy check`` does offline, and beside those that exist.

    Refused are unknown fields with their path, approver sets that are empty or can never reach ``required``,
    expressions that do not compile, circles of ``unless`` (T10, T19), gates that cover what the cluster or Daypass
    needs to run (T45), and resources that there can't be. All violations are told at once. A name in ``unless`` that is
    no policy yet is a warning, for policies of one commit arrive in any order, and so is a gate for what no Allow policy
    lets anybody ask for, a resource that Daypass does not know, and pods to be evicted where there can be none.
    """
    if call.object is None or call.operation not in {Operation.CREATE, Operation.UPDATE}:
        return refuse("UnexpectedCall", "a policy is created or updated here", INVALID)
    others = needs.knowledge.policies()
    policy, found = validate_policy(call.object, needs.expressions, others, needs.bounds)
    if policy is None or found:
        return refuse("InvalidPolicy", "; ".join(str(violation) for violation in found), INVALID)
    beside = [other for other in others if other.name != policy.name]
    doubts = (
        *policy_rules.unresolved(policy, beside),
        *gate_rules.doubtful(policy),
        *gate_answers.warnings(policy, beside),
    )
    return Answer(allowed=True, decision="ValidPolicy", warnings=tuple(map(str, doubts)))
