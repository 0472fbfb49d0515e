"""Which policies are in force: as last heard, and never by old news."""

from typing import Any

from daypass.app.policies.known import Policies

SPEC = {
    "effect": "Allow",
    "match": {"grants": {"roles": [{"kind": "ClusterRole", "name": "view"}]}},
    "autoApprove": True,
}


def a_body(uid: str, version: int, **spec: object) -> dict[str, Any]:
    metadata = {"name": "p", "uid": uid, "generation": 1, "resourceVersion": str(version)}
    return {
        "apiVersion": "daypass.dev/v1alpha1",
        "kind": "ApprovalPolicy",
        "metadata": metadata,
        "spec": {**SPEC, **spec},
    }


def test_t34_late_news_that_a_former_policy_is_gone_does_not_drop_the_new_one() -> None:
    policies = Policies()
    policies.take(a_body("first", 10))
    assert policies.take(a_body("second", 20))
    assert not policies.drop("p", "first")
    assert [one.uid for one in policies.readable()] == ["second"]
    assert policies.drop("p", "second")
    assert not policies.readable()


def test_t34_old_news_do_not_bring_back_what_is_gone() -> None:
    policies = Policies()
    policies.take(a_body("first", 10))
    assert policies.drop("p", "first")
    assert not policies.take(a_body("first", 9))
    assert not policies.take(a_body("first", 10))
    assert not policies.readable()
    assert not policies.drop("p", "unheard of")
    assert not policies.take(a_body("unheard of", 11))


def test_t63_policy_that_cannot_be_read_stays_known_as_such() -> None:
    policies = Policies()
    policies.take(a_body("first", 10))
    policies.take(a_body("first", 11) | {"metadata": a_body("first", 11)["metadata"] | {"generation": 2}, "spec": {}})
    assert not policies.readable()
    assert set(policies.unreadable) == {"p"}
    assert policies.drop("p", "first")
    assert not policies.unreadable
