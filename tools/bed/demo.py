"""The main job told on a real API server, with real kubectl commands and their real output.

Every step says what it expects and stops the story, with exit code 1, where that is not what happened.
"""

import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bed.cluster import Bed

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "demo"
GRANT_GONE_SECONDS = 45
"""Longest wait for an end: the longest grant of the story, and what the dead-man Job may be late."""


class StoryError(Exception):
    """Something did not happen as told; the text says what."""


def tell(bed: Bed) -> None:
    """Tell the whole story; raises StoryError at the first step that does not come true."""
    _Story(bed).tell()


class _Story:
    def __init__(self, bed: Bed) -> None:
        self._bed = bed

    def tell(self) -> None:
        self._prepare()
        self._agent_has_nothing()
        self._agent_asks()
        self._nobody_approves_their_own()
        self._people_approve()
        self._access_works()
        self._access_ends()
        self._policy_decides_alone()
        self._nobody_is_left()
        _say("That was Daypass. `make up` leaves such a cluster running for you to try.")

    # the story, in order

    def _prepare(self) -> None:
        _title("0", "A namespace with an agent, and policies")
        self._run("apply", "-f", _example("cluster"))
        self._run("apply", "-f", _example("policies"))
        self._until("the policies are ready", lambda: self._ready_policies() == {"True"})
        self._run("get", "approvalpolicies")

    def _agent_has_nothing(self) -> None:
        _title("1", "The agent may not read the Secret it needs, nor scale the Deployment")
        self._run("auth", "can-i", "get", "secret/checkout-db", "-n", "demo", user="agent", fails=True, shows="no")
        self._run("get", "secret", "checkout-db", "-n", "demo", user="agent", fails=True, shows="Forbidden")
        self._run(
            "scale", "deployment/checkout", "--replicas=3", "-n", "demo", user="agent", fails=True, shows="Forbidden"
        )

    def _agent_asks(self) -> None:
        _title("2", "It asks, and sees for whom it waits")
        self._ask("fix-checkout", "agent", "AwaitingApproval")
        self._run("get", "areq", "-n", "demo", user="agent", shows="AwaitingApproval")
        self._run("describe", "areq", "fix-checkout", "-n", "demo", user="bob", shows="Critical")

    def _nobody_approves_their_own(self) -> None:
        _title("3", "Nobody approves their own request, and no agent approves anything")
        self._run(
            "create", "rolebinding", "agent-may-answer", "-n", "demo",
            "--clusterrole=daypass-approver", "--serviceaccount=demo:agent",
        )  # fmt: skip
        self._answer("fix-checkout", "agent", "Approve", "I checked it myself", fails=True)
        self._run("delete", "rolebinding", "agent-may-answer", "-n", "demo")
        self._ask("bobs-own", "bob", "AwaitingApproval")
        self._answer("bobs-own", "bob", "Approve", "it is fine", fails=True)

    def _people_approve(self) -> None:
        _title("4", "Two people approve")
        self._answer("fix-checkout", "bob", "Approve", "the rollout is stuck, agreed")
        self._answer("fix-checkout", "carol", "Approve", "risk understood")
        self._run(
            "wait", "--for=condition=Ready", "areq/fix-checkout", "-n", "demo", "--timeout=15s", user="agent",
            shows="condition met",
        )  # fmt: skip

    def _access_works(self) -> None:
        _title("5", "The access works, and ends by itself")
        self._run("get", "secret", "checkout-db", "-n", "demo", user="agent", shows="checkout-db")
        self._run("scale", "deployment/checkout", "--replicas=3", "-n", "demo", user="agent", shows="scaled")
        grant = "daypass-" + self._quiet("get", "areq", "fix-checkout", "-n", "demo", "-o", "jsonpath={.metadata.uid}")
        self._run(
            "get", "rolebinding", grant, "-n", "demo", "-o",
            "custom-columns=ROLE:.roleRef.name,SUBJECT:.subjects[*].name,OWNER:.metadata.ownerReferences[*].kind,"
            r"UNTIL:.metadata.annotations.daypass\.dev/expiration-time",
            shows="Job",
        )  # fmt: skip
        self._run("get", "job", grant, "-n", "demo", "-o", 'jsonpath={.spec.activeDeadlineSeconds}{" seconds\\n"}')
        self._run("get", "areq", "-A", shows="Active")

    def _access_ends(self) -> None:
        _title("6", "It is over on time; others end at once, by an approver and by the holder")
        for name in ("to-be-revoked", "to-be-released"):
            self._ask(name, "agent", "AwaitingApproval")
            self._answer(name, "bob", "Approve", "agreed")
            self._answer(name, "dave", "Approve", "agreed")
            self._state(name, "Active")
        self._answer("to-be-revoked", "carol", "Revoke", "the incident is over")
        self._state("to-be-revoked", "Revoked")
        self._answer("to-be-released", "agent", "Release", "done")
        self._state("to-be-released", "Released")
        _say("... and the first one waits for its deadline")
        self._state("fix-checkout", "Expired")
        self._until("the bindings are gone", lambda: self._bindings() == "")
        self._run("get", "secret", "checkout-db", "-n", "demo", user="agent", fails=True, shows="Forbidden")
        self._run("describe", "areq", "fix-checkout", "-n", "demo", user="agent", shows="carol")

    def _policy_decides_alone(self) -> None:
        _title("7", "Low risk is approved by policy at once; a Deny policy says why")
        self._ask("look-around", "agent", "Active")
        self._run("get", "pods", "-n", "demo", user="agent")
        self._ask("read-restricted", "agent", "Denied")
        self._run(
            "get", "areq", "read-restricted", "-n", "demo", "-o",
            'jsonpath={.status.conditions[?(@.type=="Ready")].message}{"\\n"}',
            shows="ask the data office",
        )  # fmt: skip

    def _nobody_is_left(self) -> None:
        _title("8", "Controller and webhook are killed while access is active")
        self._ask("last-one", "agent", "AwaitingApproval")
        self._answer("last-one", "bob", "Approve", "agreed")
        self._answer("last-one", "carol", "Approve", "agreed")
        self._state("last-one", "Active")
        self._run("get", "secret", "checkout-db", "-n", "demo", user="agent", shows="checkout-db")
        grant = self._quiet("get", "areq", "last-one", "-n", "demo", "-o", "jsonpath={.metadata.uid}")
        self._bed.controller.kill()
        self._bed.webhook.kill()
        _say("$ kill -9 <controller> <webhook>")
        forged = '{"status":{"expirationTime":"2099-01-01T00:00:00Z"}}'
        self._run(
            "patch", "areq", "last-one", "-n", "demo", "--subresource=status", "--type=merge", "-p", forged,
            user="bob", fails=True,
        )  # fmt: skip
        _say("... nobody of ours is alive; Kubernetes' own controllers end it")
        started = time.monotonic()
        self._until("the binding is gone", lambda: self._bindings(grant) == "")
        _say(f"the binding was gone {time.monotonic() - started:.0f} s later")
        self._run("get", "secret", "checkout-db", "-n", "demo", user="agent", fails=True, shows="Forbidden")
        _say("... and when they come back, they write down what happened")
        self._bed.webhook.start()
        self._bed.controller.start()
        self._state("last-one", "Expired")
        self._run("get", "areq", "-A")

    # how it is told

    def _ask(self, name: str, user: str, state: str) -> None:
        self._run("apply", "-f", _example(name), user=user)
        self._state(name, state)

    def _answer(self, name: str, user: str, decision: str, comment: str, *, fails: bool = False) -> None:
        review = f'{{"status":{{"review":{{"decision":"{decision}","comment":"{comment}"}}}}}}'
        self._run(
            "patch", "areq", name, "-n", "demo", "--subresource=status", "--type=merge", "-p", review,
            user=user, fails=fails,
        )  # fmt: skip

    def _state(self, name: str, state: str) -> None:
        path = '{.status.conditions[?(@.type=="Ready")].reason}'
        self._until(
            f"{name} is {state}",
            lambda: self._quiet("get", "areq", name, "-n", "demo", "-o", f"jsonpath={path}") == state,
        )
        _say(f"{name}: {state}")

    def _bindings(self, request_uid: str = "") -> str:
        """The bindings of one request, or of all."""
        label = f"daypass.dev/request-uid={request_uid}" if request_uid else "daypass.dev/request-uid"
        return self._quiet("get", "rolebindings", "-n", "demo", "-l", label, "-o", "name")

    def _ready_policies(self) -> set[str]:
        path = '{range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}'
        return set(self._quiet("get", "apol", "-o", f"jsonpath={path}").split("\n")) - {""}

    def _run(self, *arguments: str, user: str = "admin", fails: bool = False, shows: str = "") -> None:
        _say(f"\n$ kubectl --context {user} {shlex.join(arguments)}")
        done = self._bed.kubectl(*arguments, user=user, check=False)
        output = done.stdout + done.stderr
        _say(output.rstrip())
        if (done.returncode != 0) is not fails:
            message = f"that should have {'failed' if fails else 'worked'}"
            raise StoryError(message)
        if shows not in output:
            message = f"that should have shown {shows!r}"
            raise StoryError(message)

    def _quiet(self, *arguments: str) -> str:
        return self._bed.kubectl(*arguments).stdout.strip()

    def _until(self, what: str, came_true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + GRANT_GONE_SECONDS
        while not came_true():
            if time.monotonic() > deadline:
                message = f"waited {GRANT_GONE_SECONDS} s in vain until {what}"
                raise StoryError(message)
            time.sleep(0.2)


def _example(name: str) -> str:
    file = EXAMPLES / f"{name}.yaml"
    here = Path.cwd()
    return str(file.relative_to(here) if file.is_relative_to(here) else file)


def _title(number: str, text: str) -> None:
    _say(f"\n== {number}. {text}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
