"""What the chart installs, inside a cluster and outside it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from bed import binaries
from bed.folders import REPOSITORY
from chart.rendering import CHART, OUTSIDE, Json, helm, named, of_kind, render
from daypass.cli.main import app

PROCESS_KINDS = ("Deployment", "Service", "Job", "CronJob", "PodDisruptionBudget")
CONFIGURATIONS = {
    "MutatingWebhookConfiguration": "daypass-requests",
    "ValidatingWebhookConfiguration": "daypass-validation",
}


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> list[Json]:
    return render(tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> list[Json]:
    return render(tmp_path_factory.mktemp("helm"), OUTSIDE)


def pods_of(objects: list[Json]) -> list[Json]:
    templates = [body["spec"]["template"] for body in of_kind(objects, "Deployment", "Job")]
    return templates + [body["spec"]["jobTemplate"]["spec"]["template"] for body in of_kind(objects, "CronJob")]


def test_out_of_cluster_differs_by_the_processes_alone(inside: list[Json], outside: list[Json]) -> None:
    assert of_kind(outside, *PROCESS_KINDS) == []

    def identity(body: Json) -> tuple[str, str]:
        return body["kind"], body["metadata"]["name"]

    left = {identity(body) for body in inside if body["kind"] not in PROCESS_KINDS}
    assert left == {identity(body) for body in outside}
    for body in outside:
        if body["kind"] in CONFIGURATIONS or body["metadata"]["name"] in {
            "daypass-setup-bounds",
            "daypass-gates-bounds",
        }:
            continue
        assert body == named(inside, *identity(body))


def test_pods_satisfy_restricted_with_a_read_only_root(inside: list[Json]) -> None:
    assert len(pods_of(inside)) == 4
    for template in pods_of(inside):
        pod = template["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["priorityClassName"] == "system-cluster-critical"
        assert {key for volume in pod["volumes"] for key in volume} <= {"name", "emptyDir", "secret"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"cpu", "memory"} <= set(container["resources"]["requests"])
            assert "memory" in container["resources"]["limits"]


def test_processes_run_twice_and_apart(inside: list[Json]) -> None:
    for name in ("daypass-controller", "daypass-webhook"):
        spec = named(inside, "Deployment", name)["spec"]
        assert spec["replicas"] == 2
        keys = [spread["topologyKey"] for spread in spec["template"]["spec"]["topologySpreadConstraints"]]
        assert keys == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
        budget = named(inside, "PodDisruptionBudget", name)["spec"]
        assert budget["selector"]["matchLabels"] == spec["selector"]["matchLabels"]
        assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
        assert spec["template"]["spec"]["serviceAccountName"] == name


def test_t60_the_webhook_alone_mounts_keys_and_setup_alone_sees_the_authority(inside: list[Json]) -> None:
    mounted: dict[str, set[str]] = {}
    for template in pods_of(inside):
        secrets = {volume["secret"]["secretName"] for volume in template["spec"]["volumes"] if "secret" in volume}
        mounted.setdefault(template["spec"]["serviceAccountName"], set()).update(secrets)
    assert mounted == {
        "daypass-controller": set(),
        "daypass-webhook": {"daypass-serving", "daypass-signing", "daypass-webhook-paths"},
        "daypass-setup": set(),
    }


def options_of(command: str) -> set[str]:
    """The options that the command really has."""
    group: Any = get_command(app)
    return {option for parameter in group.commands[command].params for option in parameter.opts}


def test_commands_know_the_options_that_the_pods_give_them(inside: list[Json]) -> None:
    pods = [template["spec"]["containers"][0]["args"] for template in pods_of(inside)]
    assert {command for command, *_ in pods} == {"controller", "webhook", "setup"}
    for command, *options in pods:
        given = {option.split("=", 1)[0] for option in options}
        assert given <= options_of(command), command


def test_t52_a_client_authority_reaches_the_webhook(tmp_path: Path) -> None:
    pem = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
    objects = render(tmp_path, {"webhook": {"clientCA": pem}})
    assert named(objects, "ConfigMap", "daypass-webhook-client-ca")["data"] == {"ca.crt": pem}
    pod = named(objects, "Deployment", "daypass-webhook")["spec"]["template"]["spec"]
    assert "--client-ca-file=/etc/daypass/client-ca/ca.crt" in pod["containers"][0]["args"]
    assert "--client-ca-file" in options_of("webhook")
    assert {"name": "client-ca", "configMap": {"name": "daypass-webhook-client-ca"}} in pod["volumes"]


@pytest.mark.parametrize("mode", ["inside", "outside"])
def test_webhooks_fail_closed_and_leave_our_fields_to_setup(mode: str, request: pytest.FixtureRequest) -> None:
    objects: list[Json] = request.getfixturevalue(mode)
    for kind, name in CONFIGURATIONS.items():
        (webhook,) = named(objects, kind, name)["webhooks"]
        assert webhook["failurePolicy"] == "Fail"
        assert webhook["matchPolicy"] == "Equivalent"
        assert webhook["sideEffects"] == "None"
        assert webhook["timeoutSeconds"] <= 5
        assert "caBundle" not in webhook["clientConfig"]
        assert "path" not in webhook["clientConfig"].get("service", {})
        resources = {resource for rule in webhook["rules"] for resource in rule["resources"]}
        assert {"accessrequests", "accessrequests/status"} <= resources  # T01: the subresource by its name
        assert not [resource for resource in resources if "*" in resource]
        expressions = [condition["expression"] for condition in webhook["matchConditions"]]
        for account in ("daypass-controller", "daypass-webhook"):
            assert any(f'"system:serviceaccount:daypass-system:{account}"' in each for each in expressions)
    (requests,) = named(objects, "MutatingWebhookConfiguration", "daypass-requests")["webhooks"]
    assert requests["reinvocationPolicy"] == "Never"


def test_policies_of_the_api_server_fail_closed_and_are_in_force(inside: list[Json]) -> None:
    policies = of_kind(inside, "ValidatingAdmissionPolicy")
    bindings = of_kind(inside, "ValidatingAdmissionPolicyBinding")
    known = {path.stem for path in (CHART / "templates" / "policies").glob("[!_]*.yaml")} | {"holds-status"}
    assert len(known) == 14
    assert {body["metadata"]["name"] for body in policies} == {f"daypass-{name}" for name in known}
    assert {body["spec"]["policyName"] for body in bindings} == {f"daypass-{name}" for name in known}
    assert all(body["spec"]["validationActions"] == ["Deny"] for body in bindings)
    assert all(set(body["spec"]) == {"policyName", "validationActions"} for body in bindings)
    for policy in policies:
        assert policy["spec"]["failurePolicy"] == "Fail"
        for validation in policy["spec"]["validations"]:
            assert validation["reason"] == "Forbidden"
            assert 20 < len(validation["message"]) < 300


def test_names_follow_the_namespace_of_the_release(tmp_path: Path) -> None:
    objects = render(tmp_path, namespace="access")
    text = yaml.safe_dump_all(objects)
    assert "daypass-system" not in text.replace("daypass-system-", "")
    assert '["kube-system", "access"]' in yaml.safe_dump(
        named(objects, "ValidatingAdmissionPolicy", "daypass-requests"), width=9999
    )


def test_crds_come_from_the_one_source(inside: list[Json]) -> None:
    rendered = of_kind(inside, "CustomResourceDefinition")
    sources = {path.name: yaml.safe_load(path.read_text()) for path in (REPOSITORY / "crds").glob("*.yaml")}
    assert len(rendered) == len(sources) == 2
    for crd in rendered:
        (source,) = [body for body in sources.values() if body["metadata"]["name"] == crd["metadata"]["name"]]
        assert crd["spec"] == source["spec"]
        assert crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_crds_can_be_left_out_or_let_go(tmp_path: Path) -> None:
    assert of_kind(render(tmp_path, {"crds": {"enabled": False}}), "CustomResourceDefinition") == []
    for crd in of_kind(render(tmp_path, {"crds": {"keep": False}}), "CustomResourceDefinition"):
        assert "helm.sh/resource-policy" not in (crd["metadata"].get("annotations") or {})


def test_generated_files_are_fresh() -> None:
    command = [sys.executable, str(REPOSITORY / "helm" / "refresh.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_packaged_chart_renders_the_same(tmp_path: Path, inside: list[Json]) -> None:
    made = helm_package(tmp_path)
    assert render(tmp_path, chart=made) == inside


def helm_package(folder: Path) -> Path:
    command = [str(binaries.locate().helm), "package", str(CHART), "--destination", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (made,) = folder.glob("daypass-*.tgz")
    return made


def test_notes_say_what_to_do_next(tmp_path: Path) -> None:
    done = helm("install", "daypass", str(CHART), "--dry-run=client", "--namespace", "x", values=OUTSIDE, home=tmp_path)
    assert "daypass setup --namespace x --url https://127.0.0.1:9443" in done.stdout, done.stderr
