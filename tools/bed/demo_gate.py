"""The gate told on a real API server: privileged work and operations of high impact wait for a person."""

import json

from bed.cluster import Bed
from bed.telling import Teller, example, say, title


def tell(bed: Bed) -> None:
    """Tell the story of the gate; raises StoryError at the first step that does not come true."""
    _Story(bed).tell()


class _Story(Teller):
    def tell(self) -> None:
        self._prepare()
        self._privileged_work_is_refused()
        self._the_request_is_there()
        self._it_waits_instead()
        self._no_means_no()
        self._one_operation()
        self._other_doors()

    def _prepare(self) -> None:
        title("9", "A gate: what the agent runs with privileges, and what it deletes, needs an approved request")
        self.run("apply", "-f", example("workplace"))
        self.run("apply", "-f", example("gate"))
        self.policies_ready()
        self.run("get", "approvalpolicies")

    def _privileged_work_is_refused(self) -> None:
        title("10", "The agent's Job wants hostPath: its pod is refused, and the Job says why and what to do")
        self.run("apply", "-f", example("node-report"), user="agent")
        self.until("the Job says why", lambda: "HostPathVolumes" in self._events("job/node-report"))
        self.run("events", "--for=job/node-report", "-n", "demo", user="agent", shows="HostPathVolumes")
        self.run("delete", "job", "node-report", "-n", "demo", user="agent")

    def _the_request_is_there(self) -> None:
        title("11", "With `request: true` the request is already there")
        self._gate({"onMissing": "Deny", "request": True})
        self.run("apply", "-f", example("node-report"), user="agent")
        self.until("the request is there", lambda: self._made("agent") != "")
        self.run("get", "areq", "-n", "demo", user="agent", shows="AwaitingApproval")
        self.run("delete", "job", "node-report", "-n", "demo", user="agent")

    def _it_waits_instead(self) -> None:
        title("12", "With `onMissing: Hold` the work waits, and goes on by itself once somebody agreed")
        self._gate({"onMissing": "Hold", "request": None})
        self.run("apply", "-f", example("node-check"), user="alice")
        self.until("the pod is held", lambda: self._gates("node-check") == "daypass.dev/approval")
        self.run("get", "pods", "-n", "demo", "-l", "job-name=node-check", user="alice", shows="SchedulingGated")
        self.until("the request waits", lambda: self._made("alice") != "")
        name = self._made("alice")
        self.state(name, "AwaitingApproval")
        self.run("describe", "areq", name, "-n", "demo", user="bob", shows="HostPathVolumes")
        self.answer(name, "alice", "Approve", "I made it, I know it", fails=True)
        self.answer(name, "bob", "Approve", "read only, fine")
        self.until("the pod is free to be scheduled", lambda: self._gates("node-check") == "")
        say("... there is no scheduler here; the gate is what would keep one from placing the pod")
        self.run(
            "get", "pods", "-n", "demo", "-l", "job-name=node-check", "-o",
            "custom-columns=NAME:.metadata.name,GATES:.spec.schedulingGates[*].name",
            user="alice", shows="<none>",
        )  # fmt: skip
        self.run("get", "areq", name, "-n", "demo", "-o", 'jsonpath={.status.uses}{"\\n"}', shows="node-check")

    def _no_means_no(self) -> None:
        title("13", "Denied, it stays held, and says who denied it and why")
        self.run("apply", "-f", example("node-wipe"), user="alice")
        self.until("the pod is held", lambda: self._gates("node-wipe") == "daypass.dev/approval")
        self.until("the request waits", lambda: self._made("alice", "AwaitingApproval") != "")
        name = self._made("alice", "AwaitingApproval")
        self.answer(name, "carol", "Deny", "never the whole disk")
        pod = "pod/" + self.quiet(
            "get", "pods", "-n", "demo", "-l", "job-name=node-wipe", "-o", "jsonpath={.items[0].metadata.name}"
        )
        self.until("the pod says who", lambda: "never the whole disk" in self._events(pod))
        self.run("events", f"--for={pod}", "-n", "demo", user="alice", shows="carol")

    def _one_operation(self) -> None:
        title("14", "One operation: the agent deletes a volume claim, once")
        delete = ("delete", "pvc", "orders", "-n", "demo", "--wait=false")
        self.run(*delete, user="agent", fails=True, shows="request")
        self.until("the request waits", lambda: self._made("agent", "AwaitingApproval") != "")
        name = self._made("agent", "AwaitingApproval")
        self.answer(name, "bob", "Approve", "the copy is safe")
        self.state(name, "Active")
        self.run(*delete, user="agent", shows="deleted")
        say("... somebody makes the claim again; the approval was for one deletion")
        self.until("the claim is gone", lambda: self.quiet("get", "pvc", "-n", "demo", "-o", "name") == "")
        self.run("apply", "-f", example("workplace"))
        self.run(*delete, user="agent", fails=True, shows="request")

    def _other_doors(self) -> None:
        title("15", "Other doors: exec, an ephemeral container, and a RoleBinding that gives the agent more")
        pod = self.quiet(
            "get", "pods", "-n", "demo", "-l", "job-name=node-check", "-o", "jsonpath={.items[0].metadata.name}"
        )
        self.run("exec", pod, "-n", "demo", "--", "id", user="alice", fails=True, shows="approved request")
        container = {"name": "look", "image": "registry.example/debug:1", "targetContainerName": "main"}
        container["securityContext"] = {"privileged": True}  # type: ignore[assignment]
        self.run(
            "patch", "pod", pod, "-n", "demo", "--subresource=ephemeralcontainers", "--type=strategic", "-p",
            json.dumps({"spec": {"ephemeralContainers": [container]}}),
            user="alice", fails=True, shows="PrivilegedContainers",
        )  # fmt: skip
        self.run(
            "create", "rolebinding", "agent-edits", "-n", "demo", "--clusterrole=edit", "--serviceaccount=demo:agent",
            fails=True, shows="approved request",
        )  # fmt: skip
        self.run("get", "areq", "-n", "demo")

    def _gate(self, change: dict[str, object]) -> None:
        """Change what the gate does with what is missing, and wait until that is in force."""
        change_text = json.dumps({"spec": {"gate": {"workloads": change}}})
        self.run("patch", "apol", "agent-privileges", "--type=merge", "-p", change_text)
        generation = self.quiet("get", "apol", "agent-privileges", "-o", "jsonpath={.metadata.generation}")
        path = "jsonpath={.status.observedGeneration}"
        self.until("it is in force", lambda: self.quiet("get", "apol", "agent-privileges", "-o", path) == generation)
        self.policies_ready()

    def _events(self, about: str) -> str:
        return self.quiet("events", f"--for={about}", "-n", "demo")

    def _gates(self, job: str) -> str:
        found = self.quiet("get", "pods", "-n", "demo", "-l", f"job-name={job}", "-o", "json")
        items = json.loads(found)["items"]
        if not items:
            return "no pod"
        return ",".join(gate["name"] for gate in items[0]["spec"].get("schedulingGates", ()))

    def _made(self, requester: str, state: str = "") -> str:
        """The name of the newest request that Daypass made in somebody's name, in a state if one is given."""
        found = json.loads(self.quiet("get", "areq", "-n", "demo", "-l", "daypass.dev/cause", "-o", "json"))
        names = [
            one["metadata"]["name"]
            for one in sorted(found["items"], key=lambda one: one["metadata"]["creationTimestamp"])
            if one["spec"]["requester"]["username"].endswith(requester) and state in {"", _state(one)}
        ]
        return names[-1] if names else ""


def _state(request: dict[str, object]) -> str:
    conditions = request.get("status", {}).get("conditions", ())  # type: ignore[attr-defined]
    return next((one["reason"] for one in conditions if one["type"] == "Ready"), "")
