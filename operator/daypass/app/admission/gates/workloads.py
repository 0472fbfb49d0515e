"""Stamp who made and changed a workload, and say early what its pods will need (T55)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from daypass.app.admission.answer import INVALID, Answer, Call, Operation, allow, refuse
from daypass.app.admission.gates import messages
from daypass.app.admission.gates.inspection import Finds, Inspection, account_of
from daypass.app.admission.gates.permits import Permits
from daypass.app.owners import READABLE, controller_of
from daypass.app.ports import Json
from daypass.domain import names
from daypass.domain.agents import is_by_agents
from daypass.domain.authors import NOBODY, Authors, authors_from, fault, is_known_controller, joined, made_for
from daypass.domain.expressions import UndecidedError
from daypass.domain.gates import Demand, needed, of_mode, on_missing
from daypass.domain.json_values import mapping, member
from daypass.domain.pod_facts import PodFacts
from daypass.domain.policy import GateMode, OnMissing, OwnerKind
from daypass.domain.request import WorkloadGrant

_CRON_JOBS: Final = "cronjobs"
_REPLICA_SETS: Final = "replicasets"
_MAKES: Final = {"deployments": "ReplicaSet", "cronjobs": "Jobs"}
"""What makes no pods itself, and what it makes: of a refused pod only the events of that tell."""
_POINTER: Final = names.ANNOTATION_AUTHORS.replace("/", "~1")


@dataclass(frozen=True, slots=True)
class Workloads:
    """Judges what makes pods, as early as that: what stops anything is said of the pods (T43)."""

    inspection: Inspection
    permits: Permits

    def decide(self, call: Call) -> Answer:
        """Stamp the authors, and warn of what the pods will need."""
        authors = authors_after(call)
        if isinstance(authors, Answer):
            return authors
        given = member(call.object, "metadata", "annotations", names.ANNOTATION_AUTHORS)
        patch = () if call.object is None or given == authors.text else _patch(call.object, authors)
        warnings = self._early(call, authors)
        return Answer(allowed=True, decision="Stamped" if patch else "Known", patch=patch, warnings=warnings)

    def _early(self, call: Call, authors: Authors) -> tuple[str, ...]:
        """What the pods of this template will need, should it be made or changed now."""
        template = template_of(call.object, call.plural)
        if not isinstance(template, Mapping) or template == template_of(call.old, call.plural):
            return ()
        pod = {"metadata": mapping(template.get("metadata")), "spec": template.get("spec")}
        kinds = [OwnerKind(group, kind) for (group, kind), one in READABLE.items() if one.plural == call.plural]
        try:
            finds = self.inspection.find(pod, call.namespace, call.caller, *kinds)
        except UndecidedError:
            return ()  # its pods will be told
        if finds is None:
            return ()
        by_agents = [one for one in finds.open if is_by_agents(one.by.gate, authors, call.namespace)]
        demands = (*finds.agents, *by_agents)
        facts = _facts(call, pod, finds, authors)
        return tuple(line for mode in GateMode for line in self._told(of_mode(demands, mode), facts, call))

    def _told(self, demands: Sequence[Demand], facts: PodFacts, call: Call) -> tuple[str, ...]:
        """What gates of one mode have to say; nothing where a request covers all that they name."""
        if not demands:
            return ()
        permit = self.permits.for_template(facts, needed(demands))
        grant = permit.grant if permit is not None else None
        if isinstance(grant, WorkloadGrant) and not grant.pod_template_digest:
            return ()
        whose, below = _whose(call), _MAKES.get(call.plural, "")
        told = messages.early(demands, whose, "" if permit is None else permit.name)
        enforces = demands[0].by.mode is GateMode.ENFORCE
        if below and enforces and on_missing(demands) is OnMissing.DENY:
            return (*told, messages.told_below(whose, below, call.namespace))
        return told


def authors_after(call: Call) -> Authors | Answer:
    """Who the authors of a workload are once this call is done, or why it is not.

    Rule: on creation the caller alone, whatever the manifest says; where a known controller creates, for which owner,
    or who is on the Deployment whose annotations a ReplicaSet gets. On update everybody named before stays, also where a
    PUT or a rollback drops them, and a caller who changes the pod template joins them as the last; who made what has no annotation
    is not known, and that is recorded beside the caller.
    """
    if call.object is None or call.subresource or call.operation not in {Operation.CREATE, Operation.UPDATE}:
        return refuse("UnexpectedCall", "authors are stamped when a workload is created or updated", INVALID)
    given = member(call.object, "metadata", "annotations", names.ANNOTATION_AUTHORS)
    copied = authors_from(given) if isinstance(given, str) and _is_copied(call) else None
    if call.operation is Operation.CREATE:
        joins = True
        authors = copied or _maker(call)
    else:
        stored = member(call.old, "metadata", "annotations", names.ANNOTATION_AUTHORS)
        joins = template_of(call.object, call.plural) != template_of(call.old, call.plural)
        if stored is None and copied is None and not joins:
            return allow("NobodyKnown")
        before = authors_from(stored)
        authors = (joined(before, call.caller) if joins else before).and_new_of(copied or NOBODY)
    wrong = fault(authors) if joins and given != authors.text else ""
    if wrong:
        # Fail closed: an author who is left out could approve what they made (T55).
        return refuse("AuthorsUnrecordable", wrong)
    return authors


def _facts(call: Call, pod: Json, finds: Finds, authors: Authors) -> PodFacts:
    """Of the pods of a template, as far as they can be told before they are made."""
    return PodFacts(
        namespace=call.namespace,
        name="",
        uid="",
        service_account=account_of(pod),
        findings=finds.findings,
        digest="",
        authors=authors.usernames,
        authors_unknown=authors.unknown,
        owner=None,
        caller=call.caller,
    )


def _whose(call: Call) -> str:
    """Kind and name of a workload."""
    metadata = mapping(member(call.object, "metadata"))
    name = call.name or metadata.get("name") or metadata.get("generateName") or ""
    return f"{member(call.object, 'kind') or call.plural} {name}".strip()


def _maker(call: Call) -> Authors:
    if not is_known_controller(call.caller.username):
        return joined(NOBODY, call.caller)
    owner = controller_of(call.object)
    return made_for("" if owner is None else owner.uid)


def template_of(body: Json | None, plural: str) -> Any:  # noqa: ANN401 - JSON as it came
    """The pod template of a workload."""
    path = ("spec", "jobTemplate", "spec", "template") if plural == _CRON_JOBS else ("spec", "template")
    return member(body, *path)


def _is_copied(call: Call) -> bool:
    """Whether a controller writes here what it found on the object's own owner.

    The cronjob controller does not: what a CronJob says of its Jobs' annotations is free text.
    """
    return call.plural == _REPLICA_SETS and is_known_controller(call.caller.username)


def _patch(body: Json, authors: Authors) -> tuple[Mapping[str, Any], ...]:
    if isinstance(member(body, "metadata", "annotations"), Mapping):
        return ({"op": "add", "path": f"/metadata/annotations/{_POINTER}", "value": authors.text},)
    return ({"op": "add", "path": "/metadata/annotations", "value": {names.ANNOTATION_AUTHORS: authors.text}},)
