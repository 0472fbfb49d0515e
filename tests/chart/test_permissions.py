"""Least privilege as the chart renders it (T20, T60): what no cluster is needed to see."""

from pathlib import Path

import pytest

from chart.rendering import OUTSIDE, Json, named, of_kind, render

ROLE_KINDS = ("Role", "ClusterRole")
LISTED: Json = {
    "grantableRoles": {
        "clusterRoles": ["view"],
        "roles": [{"namespace": "shop", "name": "restarter"}, {"namespace": "shop", "name": "reader"}],
    },
    "grantableRules": [{"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["patch"]}],
    "gates": {"readableResources": [{"apiGroups": ["argoproj.io"], "resources": ["workflows"]}]},
}


@pytest.fixture(scope="module", params=["defaults", "listed", "outside"])
def objects(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Json]:
    values: Json = {"defaults": {}, "listed": LISTED, "outside": OUTSIDE}[request.param]
    return render(tmp_path_factory.mktemp("helm"), values)


def rules_of(objects: list[Json]) -> list[tuple[str, Json]]:
    return [(role["metadata"]["name"], rule) for role in of_kind(objects, *ROLE_KINDS) for rule in role["rules"]]


def test_t20_no_permission_has_a_wildcard(objects: list[Json]) -> None:
    for role, rule in rules_of(objects):
        for field in ("apiGroups", "resources", "verbs", "resourceNames"):
            assert not [word for word in rule.get(field, []) if "*" in word], (role, rule)
        assert "nonResourceURLs" not in rule


def test_t20_bind_names_its_roles_and_nothing_escalates(objects: list[Json]) -> None:
    for role, rule in rules_of(objects):
        assert not {"escalate", "impersonate"} & set(rule["verbs"]), role
        assert "serviceaccounts/token" not in rule["resources"]
        if "pods" in rule["resources"]:
            held = {"daypass-controller": ["get", "list", "watch", "patch"], "daypass-webhook": ["get"]}
            assert rule["verbs"] == held[role]
        if "bind" in rule["verbs"]:
            assert rule["verbs"] == ["bind"]
            assert rule["resourceNames"], role


def test_t60_secrets_and_configurations_are_reached_by_name(objects: list[Json]) -> None:
    for role, rule in rules_of(objects):
        kinds = {"secrets", "configmaps", "mutatingwebhookconfigurations", "validatingwebhookconfigurations"}
        if kinds & set(rule["resources"]):
            assert rule.get("resourceNames") or rule["verbs"] == ["create"], (role, rule)
            assert role in {"daypass-setup", "daypass-controller"} or rule["resources"] == ["configmaps"]
        assert "validatingadmissionpolicies" not in rule["resources"]


def test_t60_creating_secrets_is_confined_to_our_namespace(objects: list[Json]) -> None:
    for role in of_kind(objects, "ClusterRole"):
        assert not [rule for rule in role["rules"] if "secrets" in rule["resources"]]


def test_approving_and_asking_are_never_aggregated(objects: list[Json]) -> None:
    for role in of_kind(objects, "ClusterRole"):
        aggregated = [label for label in role["metadata"]["labels"] if "aggregate-to" in label]
        if aggregated:
            assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"get", "list", "watch"}


def test_every_role_is_bound_to_our_own_accounts_only(objects: list[Json]) -> None:
    for binding in of_kind(objects, "RoleBinding", "ClusterRoleBinding"):
        (subject,) = binding["subjects"]
        assert subject["kind"] == "ServiceAccount"
        assert subject["namespace"] == "daypass-system"
        assert binding["roleRef"]["name"].startswith(subject["name"])


def test_values_become_bind_with_resource_names(tmp_path: Path) -> None:
    objects = render(tmp_path, LISTED)
    controller = named(objects, "ClusterRole", "daypass-controller")
    assert [rule["resourceNames"] for rule in controller["rules"] if "bind" in rule["verbs"]] == [["view"]]
    local = named(objects, "Role", "daypass-controller-bind")
    assert local["metadata"]["namespace"] == "shop"
    assert local["rules"][0]["resourceNames"] == ["restarter", "reader"]
    assert {"apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": ["get"]} in controller["rules"]
    standing = named(objects, "ClusterRole", "daypass-controller-grantable")
    assert standing["rules"] == LISTED["grantableRules"]


def test_without_grantable_roles_nothing_can_be_bound(tmp_path: Path) -> None:
    objects = render(tmp_path, {"grantableRoles": {"clusterRoles": [], "roles": []}})
    assert not [rule for _, rule in rules_of(objects) if "bind" in rule["verbs"]]
    assert "daypass-controller-grantable" not in {body["metadata"]["name"] for body in objects}
