"""``daypass policy check``: policies judged offline as admission would."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from daypass.api.documents import UnreadableError, documents
from daypass.cli.main import app

GOOD = """\
apiVersion: daypass.dev/v1alpha1
kind: ApprovalPolicy
metadata: {name: NAME}
spec:
  effect: Allow
  match: {grants: {roles: [{kind: ClusterRole, name: view}]}}
  autoApprove: true
"""


def check(folder: Path, **files: str) -> tuple[int, list[str], list[str]]:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    result = CliRunner().invoke(app, ["policy", "check", *(str(folder / f"{name}.yaml") for name in files)])
    cut = f"{folder}/"
    return result.exit_code, result.stdout.replace(cut, "").splitlines(), result.stderr.replace(cut, "").splitlines()


def a_policy(name: str, **changes: str) -> str:
    text = GOOD.replace("NAME", name)
    for old, new in changes.items():
        text = text.replace({"grants": "{grants:", "auto": "autoApprove: true"}[old], new)
    return text


def test_valid_policies_pass_and_nothing_is_on_standard_error(tmp_path: Path) -> None:
    assert check(tmp_path, one=a_policy("a") + "---\n" + a_policy("b"), two=a_policy("c")) == (
        0,
        [f"approvalpolicy.daypass.dev/{name} is valid" for name in "abc"],
        [],
    )


def test_t19_every_fault_is_named_with_file_document_and_path(tmp_path: Path) -> None:
    code, out, err = check(
        tmp_path,
        one=a_policy("a")
        + "---\n"
        + a_policy("b", grants="{requester: [], conditions: [{expression: 'true'}], grants:")
        + "---\n"
        + a_policy("c", grants="{conditions: [{expression: request.tikcet == '', message: m}], grants:"),
    )
    assert code == 1
    assert out == ["approvalpolicy.daypass.dev/a is valid"]
    assert err == [
        "one.yaml: document 2 (b): spec.match.conditions[0].message: is required",
        "one.yaml: document 2 (b): spec.match.requester: unknown field (did you mean requesters?)",
        "one.yaml: document 3 (c): spec.match.conditions[0].expression: line 1, column 8: undeclared reference to 'request.tikcet' (did you mean request.ticket?)",
    ]


def test_unless_is_judged_across_the_files(tmp_path: Path) -> None:
    code, out, err = check(
        tmp_path,
        one=a_policy("a", grants="{unless: [b], grants:"),
        two=a_policy("b", grants="{unless: [a], grants:"),
        three=a_policy("c", grants="{unless: [elsewhere], grants:"),
    )
    assert code == 1
    assert [line.partition(": document")[0] for line in err] == ["one.yaml", "two.yaml"]
    assert all("spec.match.unless: leads back to this policy" in line for line in err)
    assert [line for line in out if line.startswith("warning: three.yaml: document 1 (c): spec.match.unless[0]:")]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "one.yaml: holds no ApprovalPolicy"),
        ("kind: ConfigMap\napiVersion: v1\n", "one.yaml: holds no ApprovalPolicy"),
        ("a: [", "one.yaml: line 1: "),
        ("just text", "one.yaml: document 1: is not an object"),
        (
            a_policy("a").replace("ApprovalPolicy", "AprovalPolicy"),
            "one.yaml: document 1: kind: AprovalPolicy is no kind",
        ),
        (a_policy("a").replace("v1alpha1", "v1"), "one.yaml: document 1 (a): apiVersion: must be daypass.dev/v1alpha1"),
        (a_policy("A_b"), "one.yaml: document 1 (A_b): metadata.name: must be lower case"),
        (a_policy("").replace("{name: }", "{}"), "one.yaml: document 1: metadata.name: is required"),
        (a_policy("a") + "---\n" + a_policy("a"), "one.yaml: document 2 (a): metadata.name: another policy"),
        (a_policy("a") + "  effect: Deny\n", "one.yaml: line 8: effect is given twice"),
        (
            a_policy("a", auto="autoApprove: yes please"),
            "one.yaml: document 1 (a): spec.autoApprove: must be true or false",
        ),
        (a_policy("a", auto="limits: {ticketPattern: '('}\n  autoApprove: true"), "spec.limits.ticketPattern: ("),
    ],
)
def test_what_would_hide_a_mistake_is_an_error(tmp_path: Path, text: str, fault: str) -> None:
    code, _, err = check(tmp_path, one=text)
    assert code == 1
    assert any(fault in line for line in err), err


GATE = """\
match: {namespaces: [shop], grants: {workload: {privileges: [HostPorts]}}}
  gate:
    workloads: {agents: [{kind: ServiceAccount, name: agent}], privileges: [PRIVILEGE]}
"""


def a_gate(privilege: str, **more: str) -> str:
    text = a_policy("gate").replace("match: {grants: {roles: [{kind: ClusterRole, name: view}]}}\n", GATE)
    for old, new in {"PRIVILEGE": privilege, **more}.items():
        text = text.replace(old, new)
    return text


def test_t45_a_gate_is_judged_as_admission_would(tmp_path: Path) -> None:
    assert check(tmp_path, one=a_gate("HostPorts")) == (0, ["approvalpolicy.daypass.dev/gate is valid"], [])
    hint = "there is no privilege 'HostPort' (did you mean HostPorts?)"
    wrong = f"one.yaml: document 1 (gate): spec.gate.workloads.privileges[0]: {hint}"
    assert check(tmp_path, one=a_gate("HostPort"))[::2] == (1, [wrong])
    ours = "one.yaml: document 1 (gate): spec.match.namespaces[0]: daypass-system can't be gated: Daypass itself"
    assert check(tmp_path, one=a_gate("HostPorts", shop="daypass-system"))[2] == [f"{ours} runs there"]
    elsewhere = ["policy", "check", "--namespace", "jit", str(tmp_path / "one.yaml")]
    assert CliRunner().invoke(app, elsewhere).exit_code == 0


ACTIONS = """\
match: {grants: {actions: [{verbs: [update], groups: ["*"], resources: ["*"]}]}}
  gate: {actions: [{verbs: [VERB], groups: [apps], resources: [RESOURCE]}]}
"""


def an_action_gate(resource: str, verb: str = "update") -> str:
    text = a_policy("gate").replace("match: {grants: {roles: [{kind: ClusterRole, name: view}]}}\n", ACTIONS)
    return text.replace("RESOURCE", resource).replace("VERB", verb)


def test_a_resource_that_there_is_not_is_an_error_and_one_that_may_be_a_warning(tmp_path: Path) -> None:
    at = "one.yaml: document 1 (gate): spec.gate.actions[0].resources[0]:"
    hint = "there is no resource deployment in group apps; did you mean deployments?"
    assert check(tmp_path, one=an_action_gate("deployment"))[::2] == (1, [f"{at} {hint}"])
    code, out, err = check(tmp_path, one=an_action_gate("deploymints"))
    assert (code, err) == (0, [])
    doubt = "Daypass knows no resource deploymints in group apps; did you mean deployments?"
    assert out[1:] == [f"warning: {at} {doubt}"]


@pytest.mark.parametrize(
    ("verb", "hint"),
    [
        ("patch", "patch is update, which includes patch"),
        ("deletecollection", "deletecollection is delete, which includes deletecollection"),
        ("exec", "exec is connect"),
        ("get", "get only reads: admission is asked about create, update, delete and connect"),
        ("updte", "must be one of 'create', 'update', 'delete' or 'connect'"),
    ],
)
def test_a_verb_of_rbac_says_which_verb_was_meant(tmp_path: Path, verb: str, hint: str) -> None:
    at = "one.yaml: document 1 (gate): spec.gate.actions[0].verbs[0]:"
    assert check(tmp_path, one=an_action_gate("deployments", verb))[2] == [f"{at} {hint}"]


def test_an_unknown_field_of_a_gate_says_which_was_meant(tmp_path: Path) -> None:
    gate = "one.yaml: document 1 (gate): spec.gate"
    typo = a_gate("HostPorts", **{"name: agent": "nme: agent"})
    assert f"{gate}.workloads.agents[0].nme: unknown field (did you mean name?)" in check(tmp_path, one=typo)[2]
    typo = a_gate("HostPorts", agents="onMising: Hold, agents")
    assert check(tmp_path, one=typo)[2] == [f"{gate}.workloads.onMising: unknown field (did you mean onMissing?)"]
    typo = a_gate("HostPorts", agents="colour: red, agents")
    assert check(tmp_path, one=typo)[2] == [f"{gate}.workloads.colour: unknown field"]


def test_a_gate_that_no_policy_of_the_files_answers_is_a_warning(tmp_path: Path) -> None:
    code, out, err = check(tmp_path, one=a_gate("HostPorts, Devices"))
    assert (code, err) == (0, [])
    why = "no Allow policy here lets anybody ask for Devices: what the gate stops could never be approved"
    assert out[1:] == [f"warning: one.yaml: document 1 (gate): spec.gate.workloads.privileges[1]: {why}"]
    answer = a_policy("devices", grants="{grants: {workload: {privileges: [Devices]}}, unless: []} #")
    assert len(check(tmp_path, one=a_gate("HostPorts, Devices"), two=answer)[1]) == 2


def test_other_objects_beside_policies_are_left_alone(tmp_path: Path) -> None:
    request = "apiVersion: daypass.dev/v1alpha1\nkind: AccessRequest\nmetadata: {name: x}\n"
    items = "kind: List\napiVersion: v1\nitems:\n- " + a_policy("b").replace("\n", "\n  ").rstrip() + "\n"
    code, out, err = check(tmp_path, one=f"{a_policy('a')}---\n{request}---\n\n---\n{items}")
    assert (code, len(out), err) == (0, 2, [])


def test_folders_and_standard_input_can_be_checked(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.yml").write_text(a_policy("a"))
    runner = CliRunner()
    assert runner.invoke(app, ["policy", "check", str(tmp_path)]).exit_code == 0
    assert runner.invoke(app, ["policy", "check", "-"], input=a_policy("a")).exit_code == 0
    assert runner.invoke(app, ["policy", "check", str(tmp_path / "none.yaml")]).exit_code == 1
    assert runner.invoke(app, ["policy", "check", str(tmp_path / "deep"), "-"], input="a: [").exit_code == 1


def test_a_file_that_can_not_be_read_is_told_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9")
    (tmp_path / "empty").mkdir()
    whys = {"none.yaml": "no such file", "latin.yaml": "is not UTF-8", "empty": "no *.yaml or *.yml in it"}
    for name, why in whys.items():
        result = CliRunner().invoke(app, ["policy", "check", str(tmp_path / name)])
        assert (result.exit_code, result.stderr) == (1, f"daypass policy check: {tmp_path / name}: {why}\n")
    for name in ("none.yaml", "latin.yaml"):
        result = CliRunner().invoke(app, ["digest", str(tmp_path / name)])
        assert (result.exit_code, result.stderr) == (1, f"daypass digest: {tmp_path / name}: {whys[name]}\n")


def test_a_hold_that_is_told_to_make_no_request_is_a_warning(tmp_path: Path) -> None:
    held = a_gate("HostPorts", agents="onMissing: Hold, request: false, agents")
    code, out, err = check(tmp_path, one=held)
    assert (code, err) == (0, [])
    why = "a pod that is held always has its request made, so false says nothing: leave it out"
    assert out[1:] == [f"warning: one.yaml: document 1 (gate): spec.gate.workloads.request: {why}"]
    assert len(check(tmp_path, one=held.replace("false", "true"))[1]) == 1
    assert len(check(tmp_path, one=held.replace("Hold", "Deny"))[1]) == 1


def test_a_folder_may_hold_other_files_but_some_policy(tmp_path: Path) -> None:
    other = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a.yaml]\n"
    (tmp_path / "kustomization.yaml").write_text(other)
    runner = CliRunner()
    nothing = runner.invoke(app, ["policy", "check", str(tmp_path)])
    assert (nothing.exit_code, nothing.stderr) == (1, f"{tmp_path}: holds no ApprovalPolicy\n")
    (tmp_path / "a.yaml").write_text(a_policy("a"))
    assert runner.invoke(app, ["policy", "check", str(tmp_path)]).exit_code == 0
    assert runner.invoke(app, ["policy", "check", str(tmp_path / "kustomization.yaml")]).exit_code == 1


def test_times_stay_text_and_deep_nesting_is_no_crash() -> None:
    assert list(documents("a: 2026-01-31T12:00:00Z")) == [(1, {"a": "2026-01-31T12:00:00Z"})]
    with pytest.raises(UnreadableError):
        list(documents("[" * 5000))


def test_examples_are_valid() -> None:
    examples = Path(__file__).parents[2] / "examples"
    result = CliRunner().invoke(app, ["policy", "check", str(examples / "policies")])
    assert (result.exit_code, result.stderr) == (0, "")
