"""What is agreed to, what is signed, and what expressions may know."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from builders import NOON, a_person, a_policy, a_request, a_resolved, a_review
from daypass.domain.digest import digest_of, document
from daypass.domain.facts import facts
from daypass.domain.policy import RiskLevel
from daypass.domain.request import Agent
from daypass.domain.review import ReviewDecision
from daypass.domain.reviews import signed_document
from daypass.domain.risk import Risk
from daypass.domain.times import rfc3339
from domain.rule_texts import rule

REQUEST = a_request(role="edit").build()
ROLE = a_resolved(rule("get | core | pods"))


def test_the_digest_document_is_exactly_this() -> None:
    assert document(REQUEST, ROLE, "subject-uid", [a_policy("b", generation=3), a_policy("a")]) == {
        "version": 1,
        "request": {"uid": "request-1", "namespace": "shop"},
        "spec": REQUEST.spec,
        "role": {
            "uid": "role-uid",
            "rules": [
                {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": [], "nonResourceURLs": []}
            ],
        },
        "subjectUID": "subject-uid",
        "policies": [{"name": "a", "uid": "uid-a", "generation": 1}, {"name": "b", "uid": "uid-b", "generation": 3}],
    }


def test_the_digest_of_exact_rules_names_no_role() -> None:
    request = a_request(rules=[rule("get | core | pods")]).build()
    assert document(request, None, "", [])["role"] is None


def test_the_digest_is_sha_256_in_hex() -> None:
    assert digest_of(b"{}") == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


BEFORE = document(REQUEST, ROLE, "u", [a_policy("a")])


def test_t04_another_spec_is_another_digest() -> None:
    assert (
        document(replace(REQUEST, spec={**REQUEST.spec, "durationSeconds": 901}), ROLE, "u", [a_policy("a")]) != BEFORE
    )


def test_t12_a_request_made_anew_under_the_name_is_another_digest() -> None:
    assert document(replace(REQUEST, uid="request-2"), ROLE, "u", [a_policy("a")]) != BEFORE


def test_t14_an_edited_policy_is_another_digest() -> None:
    assert document(REQUEST, ROLE, "u", [a_policy("a", generation=2)]) != BEFORE


@pytest.mark.parametrize("role", [replace(ROLE, uid="anew"), a_resolved(rule("get | core | pods,secrets"))])
def test_t23_a_recreated_or_wider_role_is_another_digest(role: object) -> None:
    assert document(REQUEST, role, "u", [a_policy("a")]) != BEFORE  # type: ignore[arg-type]


def test_a_service_account_made_anew_is_another_digest() -> None:
    assert document(REQUEST, ROLE, "another", [a_policy("a")]) != BEFORE


def test_t01_every_field_of_a_review_but_the_signature_is_signed() -> None:
    reviewer = replace(a_person("bob", uid="7"), extra={"scopes": ("a", "b")})
    review = a_review(reviewer, ReviewDecision.DENY, digest_confirmed=True, comment="no")
    assert signed_document(review) == {
        "version": 1,
        "requestUID": "request-1",
        "digest": review.digest,
        "digestConfirmed": True,
        "decision": "Deny",
        "comment": "no",
        "reviewer": {
            "username": "bob",
            "uid": "7",
            "groups": ["approvers", "system:authenticated"],
            "extra": {"scopes": ["a", "b"]},
        },
        "time": "2026-03-02T12:00:00Z",
        "keyID": review.key_id,
    }


def test_times_are_utc_and_whole_seconds_never_later() -> None:
    assert rfc3339(datetime(2026, 3, 2, 12, 0, 0, 999_999, tzinfo=UTC)) == "2026-03-02T12:00:00Z"
    assert rfc3339(datetime(2026, 3, 2, 14, 0, tzinfo=timezone(timedelta(hours=2)))) == "2026-03-02T12:00:00Z"


def test_facts_of_a_role() -> None:
    request = replace(
        a_request(role="edit", requester="shop/agent", subject="alice", ticket="OPS-1").build(),
        agent=Agent(name="releaser", model="m-1", tool="t"),
        data_classification="internal",
    )
    known = facts(request, {"team": "x"}, Risk(RiskLevel.HIGH, ("f",)), NOON, ROLE.rules)
    assert known == {
        "request.namespace": "shop",
        "request.namespaceLabels": {"team": "x"},
        "request.kind": "Role",
        "request.roleKind": "ClusterRole",
        "request.roleName": "edit",
        "request.scope": "Namespace",
        "request.verbs": ("get",),
        "request.resources": ("pods",),
        "request.apiGroups": ("",),
        "request.privileges": (),
        "request.durationSeconds": 900,
        "request.reason": "a test",
        "request.ticket": "OPS-1",
        "request.dataClassification": "internal",
        "requester.username": "system:serviceaccount:shop:agent",
        "requester.kind": "ServiceAccount",
        "requester.groups": ("system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"),
        "subject.kind": "User",
        "subject.name": "alice",
        "subject.namespace": "",
        "agent.name": "releaser",
        "agent.model": "m-1",
        "agent.tool": "t",
        "risk.level": 2,
        "risk.findings": ("f",),
        "now": NOON,
    }


def test_facts_of_exact_rules_are_the_union_of_them() -> None:
    request = a_request(rules=[rule("get,list | core | pods"), rule("get | apps | deployments,pods")]).build()
    known = facts(request, {}, Risk(RiskLevel.LOW), NOON)
    assert (known["request.kind"], known["request.roleKind"], known["request.roleName"]) == ("Rules", "", "")
    assert known["request.verbs"] == ("get", "list")
    assert known["request.resources"] == ("pods", "deployments")
    assert known["request.apiGroups"] == ("", "apps")
