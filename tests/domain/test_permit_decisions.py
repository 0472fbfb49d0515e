"""Requests for a workload or an action: which policies speak of them, how risky they are, whom they ask."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import (
    DIGEST,
    NOON,
    PlainExpressions,
    RequestBuilder,
    a_deny,
    a_person,
    a_policy,
    a_request,
    a_stage,
    a_workload,
    an_action,
    an_applied,
)
from daypass.domain import action_patterns
from daypass.domain.coverage import covers
from daypass.domain.digest import document
from daypass.domain.duplicates import equality_key
from daypass.domain.evaluation import Evaluation, Verdict, World, evaluate
from daypass.domain.facts import facts
from daypass.domain.matching import could_match
from daypass.domain.objections import objection
from daypass.domain.permissions import Rule
from daypass.domain.policy import ActionPattern, Policy, RiskLevel
from daypass.domain.policy_set import PolicySet
from daypass.domain.quorum import by_two_at_least, tally
from daypass.domain.request import ActionGrant, Grant
from daypass.domain.review import ReviewDecision
from daypass.domain.risk import Risk
from daypass.domain.wording import access

WORLD = World(NOON, {})
VOLUMES = ActionPattern(("delete",), ("",), ("persistentvolumeclaims",))


def asking(grant: Grant, requester: str = "shop/agent") -> RequestBuilder:
    return a_request(grant=grant, requester=requester)


def judge(request: RequestBuilder, *policies: Policy) -> Evaluation:
    return evaluate(request.build(), policies, WORLD, PlainExpressions())


def for_pods(*patterns: str, name: str = "pods", **more: object) -> Policy:
    return a_policy(name, roles=(), privileges=patterns, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("patterns", "wanted", "allowed", "denied"),
    [
        (("HostNamespaces",), ("HostNamespaces",), True, True),
        (("HostNamespaces",), ("HostNamespaces:hostPID",), True, True),
        (("HostNamespaces:hostPID",), ("HostNamespaces",), False, True),
        (("HostNamespaces",), ("HostNamespaces", "HostPathVolumes:/etc"), False, True),
        (("HostNamespaces", "HostPathVolumes:/var/*"), ("HostNamespaces", "HostPathVolumes:/var/log"), True, True),
        (("HostPathVolumes:/var/*",), ("HostPathVolumes:/etc",), False, False),
        (("HostPathVolumes:/etc",), ("HostPathVolumes:/",), False, True),
        (("Baseline",), ("HostPorts:80", "Sysctls:net.core.somaxconn"), True, True),
        (("Baseline",), ("Devices:nvidia.com/gpu",), False, False),
        (("Devices:nvidia.com/*",), ("Devices:nvidia.com/gpu",), True, True),
    ],
)
def test_t09_an_allow_policy_covers_every_privilege_and_a_deny_policy_needs_one(
    patterns: tuple[str, ...], wanted: tuple[str, ...], *, allowed: bool, denied: bool
) -> None:
    request = asking(a_workload(*wanted)).build()
    assert could_match(for_pods(*patterns), request) is allowed
    assert could_match(a_deny(roles=(), privileges=patterns), request) is denied


def test_one_privilege_more_does_not_take_a_request_out_of_reach_of_a_deny_policy() -> None:
    wanted = a_workload("HostPorts:80", "PrivilegedContainers")
    found = judge(
        asking(wanted), for_pods("Baseline"), a_deny("no-root", roles=(), privileges=("PrivilegedContainers",))
    )
    assert (found.verdict, found.reason) == (Verdict.DENIED, "DeniedByPolicy")


@pytest.mark.parametrize(
    ("pattern", "action", "fits"),
    [
        (VOLUMES, "delete persistentvolumeclaims data", True),
        (VOLUMES, "update persistentvolumeclaims data", False),
        (VOLUMES, "delete persistentvolumeclaims/status data", False),
        (VOLUMES, "delete pods data", False),
        (
            ActionPattern(("delete",), ("apps",), ("persistentvolumeclaims",)),
            "delete persistentvolumeclaims data",
            False,
        ),
        (ActionPattern(("delete",), ("*",), ("*",)), "delete persistentvolumeclaims data", True),
        (ActionPattern(("connect",), ("",), ("pods/exec",)), "connect pods/exec web", True),
        (ActionPattern(("connect",), ("",), ("pods",)), "connect pods/exec web", False),
        (ActionPattern(("connect",), ("",), ("pods/*",)), "connect pods/exec web", True),
        (ActionPattern(("delete",), ("",), ("pods/*",)), "delete pods web", False),
        (ActionPattern(("update",), ("",), ("*/scale",)), "update deployments/scale web", True),
        (ActionPattern(("delete",), ("",), ("pods",), ("web-*",)), "delete pods web-1", True),
        (ActionPattern(("delete",), ("",), ("pods",), ("web-*",)), "delete pods db", False),
        (ActionPattern(("delete",), ("",), ("roles",), ("*",)), "delete roles system:view", True),
        (ActionPattern(("delete",), ("",), ("pods",), ()), "delete pods db", False),
        (ActionPattern(("connect",), ("",), ("*",), ("web",)), "connect services/proxy https:web:443", True),
        (ActionPattern(("connect",), ("",), ("pods/*",), ("web",)), "connect pods/proxy db:80", False),
    ],
)
def test_which_operations_a_policy_lists(pattern: ActionPattern, action: str, *, fits: bool) -> None:
    request = asking(an_action(action)).build()
    assert could_match(a_policy(roles=(), actions=(pattern,)), request) is fits
    assert could_match(a_deny(roles=(), actions=(pattern,)), request) is fits


@pytest.mark.parametrize("grant", [a_workload(), an_action()])
def test_t09_what_a_policy_does_not_list_it_does_not_match(grant: Grant) -> None:
    request = asking(grant).build()
    assert not could_match(a_policy(), request)
    assert not could_match(a_policy(roles=()), request)
    assert could_match(a_deny(), request), "a Deny policy without grants denies all"


def test_the_index_finds_policies_of_each_kind_and_leaves_out_others() -> None:
    pods, actions = for_pods("Baseline"), a_policy("actions", roles=(), actions=(VOLUMES,))
    policies = PolicySet([pods, actions, a_policy("roles"), a_deny("freeze")])
    assert [one.name for one in policies.candidates(asking(a_workload()).build())] == ["freeze", "pods"]
    assert [one.name for one in policies.candidates(asking(an_action()).build())] == ["actions", "freeze"]
    assert [one.name for one in policies.candidates(a_request().build())] == ["freeze", "roles"]


def test_who_is_denied_reads_what_no_policy_lets_them_do() -> None:
    pods = judge(asking(a_workload("HostPathVolumes:/etc")), a_policy())
    assert pods.message == (
        "no policy lets system:serviceaccount:shop:agent be granted permission for pods of ServiceAccount agent to use"
        " HostPathVolumes:/etc in namespace shop"
    )
    action = judge(asking(an_action("connect pods/exec web"), "alice"), a_policy())
    assert (
        action.message == "no policy lets alice be granted permission to connect pods/exec named web in namespace shop"
    )


@pytest.mark.parametrize(
    ("grant", "level"),
    [
        (a_workload("PrivilegedContainers"), RiskLevel.CRITICAL),
        (a_workload("TokenMount", "SecretMount:db"), RiskLevel.HIGH),
        (an_action("create rolebindings give", group="rbac.authorization.k8s.io"), RiskLevel.CRITICAL),
        (an_action("connect pods/exec web"), RiskLevel.HIGH),
        (an_action("update pods/ephemeralcontainers web"), RiskLevel.HIGH),
        (an_action("delete persistentvolumeclaims data"), RiskLevel.MEDIUM),
    ],
)
def test_the_risk_is_that_of_the_privileges_or_of_the_permission_behind_the_operation(
    grant: Grant, level: RiskLevel
) -> None:
    policies = (for_pods("Baseline", "TokenMount", "SecretMount"), a_policy("a", roles=(), actions=(_everything(),)))
    found = judge(asking(grant), *policies)
    assert (found.verdict, found.risk.level) == (Verdict.GOVERNED, level)


def test_what_daypass_found_of_the_workload_is_read_first() -> None:
    runs = "runs busybox:1.37: sh -c rm"
    grant = replace(a_workload("HostPorts:80"), findings=(runs,))
    first, *rest = judge(asking(grant), for_pods("Baseline")).risk.findings
    assert first == runs
    assert "HostPorts:80" in rest[0]


def test_expressions_know_what_is_asked_for() -> None:
    pods = asking(a_workload("HostPorts:80", "TokenMount")).build()
    found = facts(pods, {}, Risk(RiskLevel.LOW), NOON)
    assert (found["request.kind"], found["request.privileges"]) == ("Workload", ("HostPorts:80", "TokenMount"))
    assert found["request.verbs"] == found["request.resources"] == ()
    action = asking(an_action("update deployments/scale web", group="apps")).build()
    found = facts(action, {}, Risk(RiskLevel.LOW), NOON)
    assert (found["request.kind"], found["request.privileges"]) == ("Action", ())
    told = tuple(found[f"request.{name}"] for name in ("verbs", "apiGroups", "resources"))
    assert told == (("update",), ("apps",), ("deployments/scale",))


def test_t69_a_workload_with_an_unknown_author_asks_two_people_in_each_stage() -> None:
    policies = (
        for_pods("Baseline", name="one"),
        a_policy("two", a_stage("a", required=3), a_stage("b"), roles=(), privileges=("Baseline",)),
    )
    known = judge(asking(a_workload()), *policies)
    assert [one.stage.required for one in known.stages] == [1, 3, 1]
    unknown = judge(asking(a_workload(unknown=True)), *policies)
    assert [one.stage.required for one in unknown.stages] == [2, 3, 2]
    assert "not everybody is known" in unknown.message
    asked = asking(a_workload(unknown=True))
    stages = judge(asked, policies[0]).stages
    assert not tally(asked.build(), stages, asked.approved_by("bob", "bob").build().reviews).complete
    assert tally(asked.build(), stages, asked.approved_by("bob", "carol").build().reviews).complete


def test_t69_policy_that_asks_nobody_asks_nobody() -> None:
    found = judge(asking(a_workload(unknown=True)), for_pods("Baseline", auto=True))
    assert (found.verdict, found.stages) == (Verdict.GOVERNED, ())
    assert "not everybody" not in found.message


def test_t55_an_author_of_the_workload_never_approves_it_nor_says_no() -> None:
    asked = asking(a_workload(authors=("alice", "bob")))
    stages = an_applied(a_stage())
    assert not tally(asked.build(), stages, asked.approved_by("bob").build().reviews).complete
    assert tally(asked.build(), stages, asked.approved_by("bob", "carol").build().reviews).complete
    assert tally(asked.build(), stages, asked.denied_by("bob").build().reviews).denial is None
    for decision in (ReviewDecision.APPROVE, ReviewDecision.DENY, ReviewDecision.REVOKE):
        said = objection(asked.build(), stages, a_person("bob"), decision, (), digest_confirmed=False)
        assert said.startswith("you made or changed this workload: somebody else must answer")


def test_t55_an_author_that_is_a_listed_service_account_does_not_count_either() -> None:
    stages = an_applied(a_stage(service_accounts=(("ci", "gate"),)))
    own = asking(a_workload(authors=("system:serviceaccount:ci:gate",)))
    assert not tally(own.build(), stages, own.approved_by("ci/gate").build().reviews).complete
    others = asking(a_workload(authors=("system:serviceaccount:ci:other",)))
    assert tally(others.build(), stages, others.approved_by("ci/gate").build().reviews).complete


def test_t44_whom_a_binding_gives_a_role_never_approves_it_nor_says_no() -> None:
    binding = replace(an_action("create rolebindings wider"), parties=("bob",), party_groups=("ops",))
    asked = asking(binding)
    stages = an_applied(a_stage())
    erin = a_person("erin", groups=("approvers", "ops"))
    for who in (a_person("bob"), erin):
        assert not tally(asked.build(), stages, asked.approved_by(who).build().reviews).complete
        assert tally(asked.build(), stages, asked.approved_by(who, "carol").build().reviews).complete
        assert tally(asked.build(), stages, asked.denied_by(who).build().reviews).denial is None
        said = objection(asked.build(), stages, who, ReviewDecision.APPROVE, (), digest_confirmed=False)
        assert said == "this binding names you, or a group that you are in: somebody else must answer"


def test_release_is_for_requester_and_subject_alone() -> None:
    asked = asking(a_workload(authors=("bob",)))
    stages = an_applied(a_stage())
    assert tally(asked.build(), stages, asked.released_by("bob").build().reviews).release is None
    assert tally(asked.build(), stages, asked.released_by("shop/agent").build().reviews).release is not None
    said = objection(asked.build(), stages, a_person("bob"), ReviewDecision.RELEASE, (), digest_confirmed=False)
    assert said.startswith("only the requester or the subject")


def test_t16_requests_that_differ_in_trifles_are_equal() -> None:
    key = equality_key(asking(a_workload("HostPorts", "TokenMount")).build())
    assert key == equality_key(asking(a_workload("TokenMount", "HostPorts", pods=7, authors=("bob",))).build())
    assert key != equality_key(asking(a_workload("TokenMount")).build())
    assert key != equality_key(asking(a_workload("TokenMount", "HostPorts", digest=DIGEST)).build())
    assert key != equality_key(asking(a_workload("TokenMount", "HostPorts", account="other")).build())
    key = equality_key(asking(an_action()).build())
    assert key == equality_key(asking(replace(an_action(uses=3), findings=("removes data",))).build())
    assert key != equality_key(asking(an_action("delete persistentvolumeclaims other")).build())
    assert key != equality_key(asking(replace(an_action(), object_digest=DIGEST)).build())


def test_t04_the_digest_covers_the_whole_spec_of_a_permit() -> None:
    spec = {"workload": {"serviceAccountName": "agent", "authors": ["bob"], "findings": ["runs busybox"]}}
    request = asking(a_workload()).with_(spec=spec).build()
    assert document(request, None, "", ())["spec"] == spec


@pytest.mark.parametrize(
    ("grant", "text"),
    [
        (a_request(role="edit").build().grant, "edit"),
        (a_request(role="a-role-with-a-long-name").build().grant, "a-role-with-a-lo…"),
        (a_request(rules=[Rule(("get",), ("",), ("pods",))]).build().grant, "pods"),
        (a_request(rules=[Rule(("get",), ("",), ("pods", "pods/log", "services"))]).build().grant, "pods +2"),
        (a_workload("HostPorts:80"), "HostPorts:80"),
        (a_workload("HostPathVolumes:/var/log", "TokenMount:vault", "TokenMount"), "HostPathVolum… +1"),
        (an_action("delete pods web"), "delete pods"),
        (an_action("connect pods/exec web"), "connect pods/exec"),
        (an_action("delete persistentvolumeclaims data"), "delete persisten…"),
    ],
)
def test_what_is_asked_for_fits_into_a_column(grant: Grant, text: str) -> None:
    assert access(grant) == text
    assert len(text) <= 17


VERBS = st.sampled_from(["create", "update", "delete", "connect"])
GROUPS = st.sampled_from(["", "apps", "*"])
RESOURCES = st.sampled_from(["pods", "pods/exec", "deployments", "deployments/scale", "*", "*/scale"])


@given(
    st.lists(VERBS, max_size=2),
    st.lists(GROUPS, max_size=2),
    st.lists(RESOURCES, max_size=2),
    VERBS,
    st.sampled_from(["", "apps"]),
    st.sampled_from(["pods", "pods/exec", "deployments", "deployments/scale"]),
)
def test_patterns_of_operations_cover_as_rules_of_rbac_do(
    verbs: list[str], groups: list[str], resources: list[str], verb: str, group: str, target: str
) -> None:
    pattern = ActionPattern(tuple(verbs), tuple(groups), tuple(resources))
    resource, _, subresource = target.partition("/")
    action = ActionGrant(verb, group, resource, subresource, "x")
    wanted, granted = Rule((verb,), (group,), (target,)), Rule(tuple(verbs), tuple(groups), tuple(resources))
    assert action_patterns.covers(pattern, action) is covers([granted], wanted)


def test_t69_doubling_never_asks_fewer() -> None:
    assert [
        by_two_at_least(one).stage.required for one in an_applied(a_stage(), a_stage(required=2), a_stage(required=9))
    ] == [*(2, 2, 9)]


def _everything() -> ActionPattern:
    return ActionPattern(("create", "update", "delete", "connect"), ("*",), ("*",))
