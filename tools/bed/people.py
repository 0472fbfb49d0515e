"""Who may do what in a namespace of a test or of the demo."""

from typing import Any

from bed.cluster import Bed

REQUESTERS = ("alice", "erin")
APPROVERS = ("bob", "carol", "dave")


def populate(bed: Bed, namespace: str) -> None:
    """Make the namespace with ServiceAccount ``agent``; and ``default``, which its controller might be late with.

    alice, erin and the agent hold ``daypass-requester`` in it; bob, carol and dave hold ``daypass-approver``.
    """
    people = {
        "daypass-requester": [*map(_user, REQUESTERS), _service_account(namespace, "agent")],
        "daypass-approver": [*map(_user, APPROVERS)],
    }
    metadata = {"name": namespace}
    items: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata},
        *(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}
            for name in ("default", "agent")
        ),
    ]
    items += [_binding(namespace, role, subjects) for role, subjects in people.items()]
    bed.apply({"apiVersion": "v1", "kind": "List", "items": items})


def _user(name: str) -> dict[str, str]:
    return {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": name}


def _service_account(namespace: str, name: str) -> dict[str, str]:
    return {"kind": "ServiceAccount", "namespace": namespace, "name": name}


def _binding(namespace: str, role: str, subjects: list[dict[str, str]]) -> dict[str, Any]:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": role, "namespace": namespace},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": subjects,
    }
