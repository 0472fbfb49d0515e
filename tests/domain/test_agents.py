"""Whose pod it is: by its ServiceAccount, its maker, its authors; kinds and labels only ever add (T40)."""

from typing import Any

import pytest

from builders import a_person
from daypass.domain.agents import Signs, is_agents, is_by_agents
from daypass.domain.authors import NOBODY, NOBODY_KNOWS, Authors
from daypass.domain.identity import Identity
from daypass.domain.policy import OwnerKind
from gate_builders import workloads

AGENT = "system:serviceaccount:shop:agent"


def _signs(account: str = "default", caller: Identity | None = None, **more: Any) -> Signs:  # noqa: ANN401 - fields of Signs
    return Signs("shop", account, more.pop("labels", {}), caller, **more)


def test_a_gate_that_names_nobody_means_everybody() -> None:
    assert is_agents(workloads("shop"), _signs(caller=a_person("alice")))
    assert is_by_agents(workloads("shop"), NOBODY, "shop")


@pytest.mark.parametrize(
    ("pattern", "account", "is_one"),
    [
        ("/agent", "agent", True),
        ("/agent", "other", False),
        ("/*", "other", True),
        ("shop/agent*", "agent-2", True),
        ("bank/agent", "agent", False),
        ("*/agent", "agent", True),
        ("User/system:serviceaccount:shop:agent", "agent", True),
        ("User/*", "agent", False),
        ("Group/system:serviceaccounts", "agent", True),
        ("Group/system:serviceaccounts:shop", "agent", True),
        ("Group/system:serviceaccounts:bank", "agent", False),
        ("Group/system:authenticated", "agent", True),
    ],
)
def test_by_its_service_account(pattern: str, account: str, is_one: bool) -> None:  # noqa: FBT001
    gate = workloads("shop", agents=(pattern,))
    assert is_agents(gate, _signs(account)) is is_one


def test_by_who_makes_it() -> None:
    gate = workloads("shop", agents=("/agent", "User/robot-*", "Group/bots"))
    assert is_agents(gate, _signs(caller=a_person("shop/agent")))
    assert is_agents(gate, _signs(caller=a_person("robot-1")))
    assert is_agents(gate, _signs(caller=a_person("carl", groups=("bots",))))
    assert not is_agents(gate, _signs(caller=a_person("alice")))
    assert not is_agents(gate, _signs(caller=a_person("bank/agent")))
    assert not is_agents(gate, _signs(caller=None))


def test_t40_labels_and_owners_add_pods_and_take_none_away() -> None:
    gate = workloads(
        "shop", agents=("/agent",), owner_kinds=("batch/Job",), pod_labels=(("role", "agent"), ("tier", "x"))
    )
    assert is_agents(gate, _signs(labels={"role": "agent", "tier": "x", "else": ""}))
    assert not is_agents(gate, _signs(labels={"role": "agent"}))
    assert is_agents(gate, _signs(kinds=(OwnerKind("batch", "Job"),)))
    assert is_agents(gate, _signs(kinds=(OwnerKind("apps", "ReplicaSet"), OwnerKind("batch", "Job"))))
    assert not is_agents(gate, _signs(kinds=(OwnerKind("", "Job"),)))
    assert is_agents(gate, _signs("agent"))


def test_t43_by_an_author_of_its_workload() -> None:
    gate = workloads("shop", agents=("/agent", "User/robot"))
    assert is_by_agents(gate, Authors((AGENT,)), "shop")
    assert is_by_agents(gate, Authors(("alice", "robot")), "shop")
    assert not is_by_agents(gate, Authors(("alice", "bob")), "shop")
    assert not is_by_agents(gate, Authors((AGENT,)), "bank")
    assert not is_by_agents(gate, NOBODY, "shop")


def test_t69_an_author_whom_nobody_knows_may_be_an_agent() -> None:
    gate = workloads("shop", agents=("/agent",))
    assert is_by_agents(gate, NOBODY_KNOWS, "shop")
    assert is_by_agents(gate, Authors(("alice",), unknown=True), "shop")


def test_a_person_may_be_in_a_group_that_was_not_recorded() -> None:
    gate = workloads("shop", agents=("Group/bots",))
    assert is_by_agents(gate, Authors(("alice",)), "shop")
    assert not is_by_agents(gate, Authors((AGENT,)), "shop")
