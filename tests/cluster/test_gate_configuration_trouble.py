"""What becomes of the gates' configurations in bad times: refused, unwatched, without an address, uninstalled (T45, T64)."""

import time
from collections.abc import Iterator

import pytest

from bed import Bed, install
from chart.rendering import helm
from cluster.guarded import PATHS, POLICIES, Guarded, a_policy, a_privileged, rotate_paths, workloads

REFUSED = "no gate on the vault"
TAKEOVER_SECONDS = 40
"""The Lease of a controller that was killed runs on for 15 s."""


@pytest.fixture(scope="module")
def guarded(request: pytest.FixtureRequest) -> Iterator[Guarded]:
    """A bed of its own, which is uninstalled in the end."""
    if request.config.getoption("--cluster") != "bed":
        pytest.skip("uninstalls Daypass; only on a cluster of its own")
    bed = Bed.launch()
    try:
        bed.install()
        bed.start()
        for namespace in ("shop", "vault"):
            bed.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        bed.wait_until(lambda: bed.get("serviceaccount", "default", "vault"))
        yield Guarded(bed)
    finally:
        bed.stop()


def test_a_gate_that_the_api_server_refuses_is_stalled_and_keeps_no_other_back(guarded: Guarded) -> None:
    forbid_gates_on_the_vault(guarded.bed)
    guarded.bed.apply(a_policy("vaulted", workloads=workloads("vault")))
    stalled = guarded.ready("vaulted")
    assert (stalled["status"], stalled["reason"]) == ("False", "GateNotInForce")
    assert stalled["message"].startswith("the gate is not in force: ")
    assert REFUSED in stalled["message"]
    guarded.write(a_policy("shop", workloads=workloads("shop")))
    assert guarded.pod("shop", body=a_privileged()).status == 403
    # Once it may, it is, without anybody touching the policy.
    guarded.bed.kubectl("delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", "vault")
    time.sleep(1.5)
    guarded.bed.kubectl("annotate", "approvalpolicy", "shop", "look=again")
    guarded.bed.apply(a_policy("shop", workloads=workloads("shop", "other")))
    guarded.bed.wait_until(lambda: guarded.ready("vaulted")["status"] == "True", 30)
    guarded.bed.wait_until(lambda: guarded.pod("vault", body=a_privileged()).status == 403, 25)


def test_t46_what_was_changed_while_no_controller_ran_is_restored_by_the_next(guarded: Guarded) -> None:
    guarded.write(a_policy("shop", workloads=workloads("shop")))
    bed = guarded.bed
    bed.controller.kill()
    bed.request("PATCH", PATHS["daypass-gates"], {"webhooks": []})
    bed.wait_until(lambda: guarded.pod("shop", body=a_privileged()).status == 201, 25)
    bed.request("DELETE", f"{POLICIES}/vaulted")
    bed.controller.start()
    bed.controller.wait_ready()
    bed.wait_until(lambda: guarded.pod("shop", body=a_privileged()).status == 403, TAKEOVER_SECONDS)
    assert not [name for name in guarded.webhooks() if name.startswith("vaulted.")]


def test_t52_a_controller_that_was_away_follows_the_path_when_it_is_back(guarded: Guarded) -> None:
    bed = guarded.bed
    guarded.write(a_policy("shop", workloads=workloads("shop")))
    bed.controller.kill()
    rotate_paths(bed)
    # The path before is answered still.
    answer = guarded.pod("shop", body=a_privileged())
    assert answer.status == 403
    assert "failed calling" not in answer.message
    before = guarded.urls()
    version = policy_version(bed, "shop")
    bed.controller.start()
    bed.controller.wait_ready()
    bed.wait_until(lambda: not before & guarded.urls(), TAKEOVER_SECONDS)
    assert guarded.pod("shop", body=a_privileged()).status == 403
    # P9: what was said of the policy holds; a new controller has nothing to write about it.
    time.sleep(1)
    assert policy_version(bed, "shop") == version


def test_t62_a_new_authority_is_trusted_by_the_gates_before_its_certificate_is_served(guarded: Guarded) -> None:
    bed = guarded.bed
    guarded.write(a_policy("shop", workloads=workloads("shop")))
    urls = guarded.urls()
    before = bed.request("GET", PATHS["daypass-gates"]).json["webhooks"][0]["clientConfig"]["caBundle"]
    bed.kubectl("delete", "secret", "daypass-ca", "-n", install.NAMESPACE)
    with guarded.hammering(lambda: guarded.pod("shop", body=a_privileged())) as answers:
        rotate_paths(bed, "serving")
        bed.wait_until(lambda: not urls & guarded.urls(), 25)
        count = len(answers)
        bed.wait_until(lambda: len(answers) > count + 25, 25)
    assert bed.request("GET", PATHS["daypass-gates"]).json["webhooks"][0]["clientConfig"]["caBundle"] != before
    assert {answer.status for answer in answers} == {403}
    assert all("failed calling" not in answer.message for answer in answers)


def test_t64_uninstalled_nothing_is_left_that_locks(guarded: Guarded) -> None:
    """The processes still run when Helm is done: what they had made must not be made anew."""
    guarded.write(a_policy("everything", workloads=workloads("*", onMissing="Hold")))
    bed = guarded.bed
    assert guarded.pod("default", body=a_privileged()).status == 201  # held
    home = bed.folder / "helm"
    done = helm(
        *("uninstall", "daypass", "--namespace", install.NAMESPACE),
        *("--kubeconfig", str(bed.endpoint.admin_kubeconfig)),
        values=None,
        home=home,
    )
    assert done.returncode == 0, done.stderr
    bed.wait_until(lambda: all(bed.request("GET", path).status == 404 for path in PATHS.values()), 25)
    bed.webhook.kill()
    bed.wait_until(lambda: guarded.pod("default", body=a_privileged()).status == 201, 25)
    time.sleep(2)
    assert all(bed.request("GET", path).status == 404 for path in PATHS.values())
    assert guarded.pod("shop", body=a_privileged()).status == 201
    assert bed.request("GET", POLICIES).status == 200


def policy_version(bed: Bed, name: str) -> str:
    return str(bed.request("GET", f"{POLICIES}/{name}").json["metadata"]["resourceVersion"])


def forbid_gates_on_the_vault(bed: Bed) -> None:
    """As a platform team might, by the means of the API server."""
    rule = {
        "apiGroups": ["admissionregistration.k8s.io"],
        "apiVersions": ["*"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["validatingwebhookconfigurations"],
    }
    expression = "!has(object.webhooks) || !object.webhooks.exists(one, one.name.startsWith('vaulted.'))"
    policy = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": expression, "message": REFUSED}],
    }
    version = "admissionregistration.k8s.io/v1"
    bed.apply(
        {"apiVersion": version, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": "vault"}, "spec": policy}
    )
    binding = {"policyName": "vault", "validationActions": ["Deny"]}
    bed.apply(
        {
            "apiVersion": version,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": "vault"},
            "spec": binding,
        }
    )
    time.sleep(2)  # an API server takes up policies once a second
