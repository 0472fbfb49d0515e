"""The main job told on a real API server, with real kubectl commands and their real output.

Every step says what it expects and stops the story, with exit code 1, where that is not what happened.
"""

import time

from bed.cluster import Bed
from bed.telling import Teller, example, say, title


def tell(bed: Bed) -> None:
    """Tell the story of the main job; raises StoryError at the first step that does not come true."""
    _Story(bed).tell()


class _Story(Teller):
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

    # the story, in order

    def _prepare(self) -> None:
        title("0", "A namespace with an agent, and policies")
        self.run("apply", "-f", example("cluster"))
        self.run("apply", "-f", example("policies"))
        self.policies_ready()
        self.run("get", "approvalpolicies")

    def _agent_has_nothing(self) -> None:
        title("1", "The agent may not read the Secret it needs, nor scale the Deployment")
        self.run("auth", "can-i", "get", "secret/checkout-db", "-n", "demo", user="agent", fails=True, shows="no")
        self.run("get", "secret", "checkout-db", "-n", "demo", user="agent", fails=True, shows="Forbidden")
        self.run(
            "scale", "deployment/checkout", "--replicas=3", "-n", "demo", user="agent", fails=True, shows="Forbidden"
        )

    def _agent_asks(self) -> None:
        title("2", "It asks, and sees for whom it waits")
        self.ask("fix-checkout", "agent", "AwaitingApproval")
        self.run("get", "areq", "-n", "demo", user="agent", shows="AwaitingApproval")
        self.run("describe", "areq", "fix-checkout", "-n", "demo", user="bob", shows="Critical")

    def _nobody_approves_their_own(self) -> None:
        title("3", "Nobody approves their own request, and no agent approves anything")
        self.run(
            "create", "rolebinding", "agent-may-answer", "-n", "demo",
            "--clusterrole=daypass-approver", "--serviceaccount=demo:agent",
        )  # fmt: skip
        self.answer("fix-checkout", "agent", "Approve", "I checked it myself", fails=True)
        self.run("delete", "rolebinding", "agent-may-answer", "-n", "demo")
        self.ask("bobs-own", "bob", "AwaitingApproval")
        self.answer("bobs-own", "bob", "Approve", "it is fine", fails=True)

    def _people_approve(self) -> None:
        title("4", "Two people approve")
        self.answer("fix-checkout", "bob", "Approve", "the rollout is stuck, agreed")
        self.answer("fix-checkout", "carol", "Approve", "risk understood")
        self.run(
            "wait", "--for=condition=Ready", "areq/fix-checkout", "-n", "demo", "--timeout=15s", user="agent",
            shows="condition met",
        )  # fmt: skip

    def _access_works(self) -> None:
        title("5", "The access works, and ends by itself")
        self.run("get", "secret", "checkout-db", "-n", "demo", user="agent", shows="checkout-db")
        self.run("scale", "deployment/checkout", "--replicas=3", "-n", "demo", user="agent", shows="scaled")
        grant = "daypass-" + self.quiet("get", "areq", "fix-checkout", "-n", "demo", "-o", "jsonpath={.metadata.uid}")
        self.run(
            "get", "rolebinding", grant, "-n", "demo", "-o",
            "custom-columns=ROLE:.roleRef.name,SUBJECT:.subjects[*].name,OWNER:.metadata.ownerReferences[*].kind,"
            r"UNTIL:.metadata.annotations.daypass\.dev/expiration-time",
            shows="Job",
        )  # fmt: skip
        self.run("get", "job", grant, "-n", "demo", "-o", 'jsonpath={.spec.activeDeadlineSeconds}{" seconds\\n"}')
        self.run("get", "areq", "-A", shows="Active")

    def _access_ends(self) -> None:
        title("6", "It is over on time; others end at once, by an approver and by the holder")
        for name in ("to-be-revoked", "to-be-released"):
            self.ask(name, "agent", "AwaitingApproval")
            self.answer(name, "bob", "Approve", "agreed")
            self.answer(name, "dave", "Approve", "agreed")
            self.state(name, "Active")
        self.answer("to-be-revoked", "carol", "Revoke", "the incident is over")
        self.state("to-be-revoked", "Revoked")
        self.answer("to-be-released", "agent", "Release", "done")
        self.state("to-be-released", "Released")
        say("... and the first one waits for its deadline")
        self.state("fix-checkout", "Expired")
        self.until("the bindings are gone", lambda: self._bindings() == "")
        self.run("get", "secret", "checkout-db", "-n", "demo", user="agent", fails=True, shows="Forbidden")
        self.run("describe", "areq", "fix-checkout", "-n", "demo", user="agent", shows="carol")

    def _policy_decides_alone(self) -> None:
        title("7", "Low risk is approved by policy at once; a Deny policy says why")
        self.ask("look-around", "agent", "Active")
        self.run("get", "pods", "-n", "demo", user="agent")
        self.ask("read-restricted", "agent", "Denied")
        self.run(
            "get", "areq", "read-restricted", "-n", "demo", "-o",
            'jsonpath={.status.conditions[?(@.type=="Ready")].message}{"\\n"}',
            shows="ask the data office",
        )  # fmt: skip

    def _nobody_is_left(self) -> None:
        title("8", "Controller and webhook are killed while access is active")
        self.ask("last-one", "agent", "AwaitingApproval")
        self.answer("last-one", "bob", "Approve", "agreed")
        self.answer("last-one", "carol", "Approve", "agreed")
        self.state("last-one", "Active")
        self.run("get", "secret", "checkout-db", "-n", "demo", user="agent", shows="checkout-db")
        grant = self.quiet("get", "areq", "last-one", "-n", "demo", "-o", "jsonpath={.metadata.uid}")
        self.bed.controller.kill()
        self.bed.webhook.kill()
        say("$ kill -9 <controller> <webhook>")
        forged = '{"status":{"expirationTime":"2099-01-01T00:00:00Z"}}'
        self.run(
            "patch", "areq", "last-one", "-n", "demo", "--subresource=status", "--type=merge", "-p", forged,
            user="bob", fails=True,
        )  # fmt: skip
        say("... nobody of ours is alive; Kubernetes' own controllers end it")
        started = time.monotonic()
        self.until("the binding is gone", lambda: self._bindings(grant) == "")
        say(f"the binding was gone {time.monotonic() - started:.0f} s later")
        self.run("get", "secret", "checkout-db", "-n", "demo", user="agent", fails=True, shows="Forbidden")
        say("... and when they come back, they write down what happened")
        self.bed.webhook.start()
        self.bed.controller.start()
        self.state("last-one", "Expired")
        self.run("get", "areq", "-A")

    def _bindings(self, request_uid: str = "") -> str:
        """The bindings of one request, or of all."""
        label = f"daypass.dev/request-uid={request_uid}" if request_uid else "daypass.dev/request-uid"
        return self.quiet("get", "rolebindings", "-n", "demo", "-l", label, "-o", "name")
