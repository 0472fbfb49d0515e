"""Values that the chart refuses, with a message, before anything reaches a cluster."""

from pathlib import Path

import pytest

from chart.rendering import CHART, OUTSIDE, Json, helm, refusal, render

RULE = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"grantableRole": {}}, "grantableRole"),
        ({"grantableRoles": {"clusterRoles": ["cluster-admin"]}}, "/grantableRoles/clusterRoles/0"),
        ({"grantableRoles": {"clusterRoles": ["*"]}}, "clusterRoles"),
        ({"grantableRoles": {"clusterRoles": "view"}}, "clusterRoles"),
        ({"grantableRoles": {"roles": [{"name": "reader"}]}}, "namespace"),
        ({"grantableRules": [{**RULE, "verbs": ["*"]}]}, "verbs"),
        ({"grantableRules": [{**RULE, "resources": ["*"]}]}, "resources"),
        ({"grantableRules": [{**RULE, "resources": ["*/scale"]}]}, "resources"),
        ({"grantableRules": [{**RULE, "apiGroups": ["*"]}]}, "apiGroups"),
        ({"grantableRules": [{**RULE, "verbs": ["bind"]}]}, "verbs"),
        ({"grantableRules": [{**RULE, "verbs": ["impersonate-on:user-info:get"]}]}, "verbs"),
        ({"grantableRules": [{**RULE, "apiGroups": ["rbac.authorization.k8s.io"]}]}, "apiGroups"),
        ({"grantableRules": [{**RULE, "apiGroups": ["daypass.dev"]}]}, "apiGroups"),
        ({"grantableRules": [{**RULE, "resources": ["serviceaccounts/token"]}]}, "resources"),
        ({"grantableRules": [{"apiGroups": [""], "resources": ["pods"]}]}, "verbs"),
        ({"grantableRules": [{**RULE, "nonResourceURLs": ["/metrics"]}]}, "nonResourceURLs"),
        ({"gates": {"readableResources": [{"apiGroups": [""], "resources": ["secrets"]}]}}, "readableResources"),
        ({"gates": {"readableResources": [{"apiGroups": [""], "resources": ["pods/exec"]}]}}, "readableResources"),
        ({"gates": {"readableResources": [{"apiGroups": ["apps"], "resources": ["*"]}]}}, "readableResources"),
        ({"gates": {"readableResources": [{"apiGroups": ["*"], "resources": ["crontabs"]}]}}, "readableResources"),
        ({"gates": {"readableResources": [{"apiGroups": ["apps"]}]}}, "resources"),
        ({"neverGrantedNamespaces": ["shop"]}, "neverGrantedNamespaces"),
        ({"webhook": {"timeoutSeconds": 10}}, "timeoutSeconds"),
        ({"webhook": {"replicas": 0}}, "replicas"),
        ({"webhook": {"clientCA": "/etc/ca.crt"}}, "clientCA"),
        ({"controller": {"retentionDays": 0}}, "retentionDays"),
        ({"image": {"digest": "sha256:1"}}, "digest"),
        ({"setup": {"schedule": "daily"}}, "schedule"),
        ({"outOfCluster": {"enabled": True}}, "webhookURL"),
        ({"outOfCluster": {"enabled": True, "webhookURL": "http://127.0.0.1:9443"}}, "webhookURL"),
        ({"outOfCluster": {"enabled": True, "webhookURL": "https://127.0.0.1:9443/path"}}, "webhookURL"),
    ],
)
def test_wrong_values_are_refused(tmp_path: Path, values: Json, says: str) -> None:
    assert says in refusal(tmp_path, values)


@pytest.mark.parametrize("values", [{}, OUTSIDE, {"grantableRules": [RULE]}])
def test_lint_finds_nothing(tmp_path: Path, values: Json) -> None:
    done = helm("lint", str(CHART), "--strict", values=values, home=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_value_is_described_and_has_a_schema(tmp_path: Path) -> None:
    readme = (CHART / "README.md").read_text()
    assert "<!-- values -->" not in readme
    assert render(tmp_path, {})
    for name in ("grantableRoles.clusterRoles", "outOfCluster.webhookURL", "setup.schedule", "crds.keep"):
        assert f"| `{name}` |" in readme
