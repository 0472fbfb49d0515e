"""Between JSON and domain values."""

import re
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.case_tables import Case, cases
from daypass.api import convert, fields
from daypass.domain.identity import Identity, Subject, SubjectKind
from daypass.domain.permissions import ResolvedRole, RoleReference, Rule
from daypass.domain.policy import LabelRequirement, RiskLevel
from daypass.domain.request import Agent, RoleGrant, RulesGrant
from daypass.domain.review import Review, ReviewDecision

METADATA = {
    "name": "case",
    "namespace": "shop",
    "uid": "u-1",
    "generation": 1,
    "creationTimestamp": "2026-01-31T12:00:00Z",
}
REQUESTER = {"username": "system:serviceaccount:shop:agent", "uid": "a-1", "groups": ["system:authenticated"]}
REVIEW = Review(
    version=1,
    request_uid="u-1",
    digest="ab" * 32,
    decision=ReviewDecision.APPROVE,
    reviewer=Identity("bob", "", ("approvers",), {"scopes": ("a", "b")}),
    time=datetime(2026, 1, 31, 12, 5, tzinfo=UTC),
    key_id="0123456789abcdef",
    signature="c2ln",
    comment="fine",
    digest_confirmed=True,
)


def a_body(**spec: object) -> dict[str, Any]:
    base = {
        "requester": REQUESTER,
        "reason": "why",
        "durationSeconds": 60,
        "role": {"kind": "ClusterRole", "name": "edit"},
    }
    return {
        "apiVersion": "daypass.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": dict(METADATA),
        "spec": {key: value for key, value in {**base, **spec}.items() if value is not None},
    }


def a_policy_body(**spec: object) -> dict[str, Any]:
    base = {
        "effect": "Allow",
        "match": {"grants": {"roles": [{"kind": "ClusterRole", "name": "edit"}]}},
        "approvals": [{"name": "team", "approvers": {"groups": ["leads"]}}],
    }
    return {
        "apiVersion": "daypass.dev/v1alpha1",
        "kind": "ApprovalPolicy",
        "metadata": {"name": "case", "uid": "p-1", "generation": 3},
        "spec": {key: value for key, value in {**base, **spec}.items() if value is not None},
    }


@pytest.mark.parametrize("case", cases("approvalpolicies", "accepted"), ids=str)
def test_a_policy_that_the_api_server_takes_is_read(case: Case) -> None:
    assert convert.policy_from(case.body).name == "case"


@pytest.mark.parametrize("case", cases("approvalpolicies", "refused"), ids=str)
def test_a_policy_that_the_api_server_refuses_is_malformed_with_the_same_words(case: Case) -> None:
    with pytest.raises(convert.MalformedError) as caught:
        convert.policy_from(case.body)
    _same_words(case, caught.value)


@pytest.mark.parametrize("case", cases("accessrequests", "accepted"), ids=str)
def test_a_request_that_the_api_server_takes_is_read(case: Case) -> None:
    body = {**case.body, "metadata": METADATA, "spec": {"requester": REQUESTER, **case.body["spec"]}}
    assert convert.request_from(body).spec is body["spec"]


@pytest.mark.parametrize("case", cases("accessrequests", "refused"), ids=str)
def test_a_request_that_the_api_server_refuses_is_malformed_with_the_same_words(case: Case) -> None:
    body = {**case.body, "metadata": METADATA, "spec": {"requester": REQUESTER, **case.body["spec"]}}
    with pytest.raises(convert.MalformedError) as caught:
        convert.request_from(body)
    _same_words(case, caught.value)


def test_what_is_empty_is_told_in_words() -> None:
    with pytest.raises(convert.MalformedError) as caught:
        convert.policy_from(a_policy_body(approvals=[]))
    assert str(caught.value) == "spec.approvals: must have at least one entry"


def _same_words(case: Case, error: convert.MalformedError) -> None:
    """Paths are the same everywhere; words too, but where the API server's own are about its schema."""
    paths = {violation.path for violation in error.violations}
    expected = re.findall(r"unknown field \"(.+?)\"", case.message) or [case.message.partition(":")[0]]
    assert expected[0] in paths
    own = [v.message for v in error.violations if v.message.startswith(("must not", "must be one line"))]
    assert all(message in case.message for message in own)


def test_a_request_is_read_whole() -> None:
    body = a_body(
        subject={"kind": "User", "name": "alice"},
        role=None,
        rules=[{"apiGroups": ["", "apps"], "resources": ["pods"], "resourceNames": ["a"], "verbs": ["get"]}],
        startTime="2026-02-01T02:00:00+02:00",
        ticket="OPS-1",
        context={"agent": {"name": "n", "model": "m", "run": "r", "tool": "t"}, "data": {"classification": "c"}},
    )
    body["status"] = {
        "conditions": [{"type": "Ready", "status": "False", "reason": "AwaitingApproval", "message": "waits"}],
        "policies": [{"name": "p", "uid": "p-1", "generation": 3}],
        "stages": [
            {"policy": "p", "name": "team", "required": 2, "approvers": {"users": ["bob"]}, "requireDigest": True}
        ],
        "digest": "ab" * 32,
        "pendingDeadlineTime": "2026-02-01T12:00:00Z",
        "review": None,
        "reviews": [convert.review_json(REVIEW)],
        "endTime": None,
        "objects": [{"kind": "Job", "namespace": "shop", "name": "daypass-u-1", "uid": "j-1"}],
        "usage": {"a field": "of a later version"},
    }
    request = convert.request_from(body)
    assert request.requester == Identity("system:serviceaccount:shop:agent", "a-1", ("system:authenticated",))
    assert request.subject == Subject(SubjectKind.USER, "alice")
    assert request.grant == RulesGrant((Rule(("get",), ("", "apps"), ("pods",), ("a",)),))
    assert request.start_time == datetime(2026, 2, 1, tzinfo=UTC)
    assert request.agent == Agent("n", "m", "r", "t")
    assert (request.ticket, request.data_classification, request.duration_seconds) == ("OPS-1", "c", 60)
    assert request.reviews == (REVIEW,)
    record = request.record
    ready = record.condition("Ready")
    assert ready is not None
    assert ready.reason == "AwaitingApproval"
    assert record.stages[0].stage.approvers.users == ("bob",)
    assert record.stages[0].stage.require_digest
    assert record.pending_deadline_time == datetime(2026, 2, 1, 12, tzinfo=UTC)
    assert record.end_time is None
    assert record.objects[0].uid == "j-1"


def test_the_subject_is_the_requester_where_none_is_given() -> None:
    request = convert.request_from(a_body())
    assert request.subject == Subject(SubjectKind.SERVICE_ACCOUNT, "agent", "shop")
    assert request.grant == RoleGrant(RoleReference("ClusterRole", "edit"))


def test_t06_a_request_without_a_stamped_requester_is_not_judged() -> None:
    with pytest.raises(convert.MalformedError, match=r"spec.requester: was not stamped by admission"):
        convert.request_from(a_body(requester=None))


def test_t63_what_another_version_says_is_not_judged() -> None:
    for change in ({"delivery": "Token"}, {"role": {"kind": "ClusterRole", "name": "edit", "scope": "Cluster"}}):
        with pytest.raises(convert.MalformedError, match="unknown field"):
            convert.request_from(a_body(**change))
    other = a_body()
    other["apiVersion"] = "daypass.dev/v1"
    with pytest.raises(convert.MalformedError, match=r"apiVersion: must be daypass\.dev/v1alpha1"):
        convert.request_from(other)
    review = {**convert.review_json(REVIEW), "decision": "Extend"}
    with pytest.raises(convert.MalformedError, match="must be one of 'Approve', 'Deny', 'Revoke' or 'Release'"):
        convert.review_from(review)
    with pytest.raises(convert.MalformedError, match="version"):
        convert.review_from({**convert.review_json(REVIEW), "version": 2})


def test_t19_unknown_fields_of_a_policy_are_named_all_at_once() -> None:
    body = a_policy_body()
    body["spec"]["matches"] = {}
    body["spec"]["match"]["requester"] = []
    body["spec"]["match"]["grants"]["roles"][0]["scope"] = "Cluster"
    body["spec"]["approvals"][0]["approvers"]["group"] = ["a"]
    with pytest.raises(convert.MalformedError) as caught:
        convert.policy_from(body)
    assert {str(violation) for violation in caught.value.violations} == {
        "spec.matches: unknown field (did you mean match?)",
        "spec.match.requester: unknown field (did you mean requesters?)",
        "spec.match.grants.roles[0].scope: unknown field",
        "spec.approvals[0].approvers.group: unknown field (did you mean groups?)",
    }


@pytest.mark.parametrize("field", ["requesters", "subjects", "namespaces", "namespaceSelector"])
def test_t19_null_is_not_taken_for_anyone(field: str) -> None:
    body = a_policy_body()
    body["spec"]["match"][field] = None
    with pytest.raises(convert.MalformedError, match=rf"spec.match: {field} must not be null"):
        convert.policy_from(body)


def test_a_policy_is_read_whole() -> None:
    body = a_policy_body(
        match={
            "namespaceSelector": {
                "matchLabels": {"team": "shop"},
                "matchExpressions": [{"key": "stage", "operator": "NotIn", "values": ["prod"]}],
            },
            "requesters": [{"kind": "ServiceAccount", "name": "*"}],
            "grants": {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
            "conditions": [{"expression": "true", "message": "always"}],
            "unless": ["other"],
        },
        limits={"maxPerDay": 3},
        approvals=[
            {"name": "a", "approvers": {"serviceAccounts": [{"namespace": "n", "name": "s"}]}, "riskAtLeast": "High"}
        ],
    )
    policy = convert.policy_from(body)
    assert (policy.uid, policy.generation) == ("p-1", 3)
    assert policy.match.namespaces is None
    assert policy.match.namespace_selector == (
        LabelRequirement("team", "In", ("shop",)),
        LabelRequirement("stage", "NotIn", ("prod",)),
    )
    assert policy.match.unless == ("other",)
    assert policy.limits.max_per_day == 3
    assert policy.limits.cooldown_seconds is None
    stage = policy.stages[0]
    assert (stage.required, stage.risk_at_least) == (1, RiskLevel.HIGH)
    assert stage.approvers.service_accounts == (("n", "s"),)


def test_roles_are_read_with_the_rules_in_force() -> None:
    rules = [
        {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]},
        {"verbs": ["get"], "nonResourceURLs": ["/m"]},
    ]
    body = {"metadata": {"uid": "r-1", "name": "a"}, "aggregationRule": {}, "rules": rules}
    assert convert.role_from(body) == ResolvedRole(
        "r-1", (Rule(("get",), ("",), ("pods",)), Rule(("get",), non_resource_urls=("/m",)))
    )
    assert convert.role_from({"metadata": {"uid": "r-1"}, "rules": None}).rules == ()
    with pytest.raises(convert.MalformedError, match=r"rules\[0\].verbs: is required"):
        convert.role_from({"metadata": {"uid": "r-1"}, "rules": [{}]})
    with pytest.raises(convert.MalformedError, match=r"rules\[0\].selector: unknown field"):
        convert.rules_from([{"verbs": ["get"], "selector": {}}])


def test_reviews_survive_the_way_there_and_back() -> None:
    assert convert.review_from(convert.review_json(REVIEW)) == REVIEW


def test_what_a_reviewer_submits_is_checked() -> None:
    given = convert.submission_from({"decision": "Deny", "comment": "no"})
    assert (given.decision, given.comment, given.digest) == (ReviewDecision.DENY, "no", "")
    for body, fault in (
        ({"decision": "Maybe"}, "status.review.decision: must be one of"),
        ({"decision": "Deny", "comment": "a\nb"}, "status.review.comment: must be one line of plain text"),
        ({"decision": "Deny", "digest": "ab"}, "status.review.digest: must match"),
        ({"decision": "Deny", "reviewer": {"username": "bob"}}, "status.review.reviewer: unknown field"),
        ([], "status.review: must be an object"),
    ):
        with pytest.raises(convert.MalformedError, match=re.escape(fault)):
            convert.submission_from(body)


@pytest.mark.parametrize(
    "character",
    [
        "\n",
        "\t",
        "\r",
        "\0",
        "\x1b",
        "\x7f",
        "\x9b",
        "\u061c",
        "\u200e",
        "\u202e",
        "\u2068",
        "\ufeff",
        "\u00ad",
        "\u3164",
        "\ufe0f",
        "\U000e0041",
    ],
)
def test_t15_text_that_shows_something_else_than_it_holds_is_not_plain(character: str) -> None:
    assert not fields.is_plain(f"a{character}b")


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_words_of_every_language_are_plain(text: str) -> None:
    assert fields.is_plain(text)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["metadata", "spec", "status"]), st.data(), _JSON)
def test_t49_whatever_stands_in_an_object_it_is_read_or_malformed(part: str, data: st.DataObject, junk: object) -> None:
    body = deepcopy(a_body())
    body["status"] = {"reviews": [convert.review_json(REVIEW)], "conditions": [], "stages": []}
    keys = [None, *body[part]]
    key = data.draw(st.sampled_from(keys))
    if key is None:
        body[part] = junk
    else:
        body[part][key] = junk
    policy = {**a_policy_body(), part: junk}
    told: list[str] = []
    for read, what in ((convert.request_from, body), (convert.policy_from, policy), (convert.role_from, body)):
        try:
            read(what)
        except convert.MalformedError as error:
            told.append(str(error))
    assert all(told)
