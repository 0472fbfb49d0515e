"""Reads an AccessRequest."""

from collections.abc import Mapping
from dataclasses import replace
from sys import intern
from typing import Any

from pydantic import ValidationError

from daypass.api.convert_permit import action_of, use_of, workload_of
from daypass.api.convert_review import review_of, stage_of
from daypass.api.malformed import MalformedError, malformed
from daypass.api.metadata import metadata_from
from daypass.api.request import AccessRequestSpec, PolicyRule
from daypass.api.request import Subject as SubjectModel
from daypass.api.request_status import AccessRequestStatus
from daypass.domain.identity import Identity, Subject, SubjectKind, subject_of
from daypass.domain.permissions import RoleReference, Rule
from daypass.domain.request import (
    Agent,
    Condition,
    Grant,
    ObjectReference,
    PolicyReference,
    Record,
    Request,
    RoleGrant,
    RulesGrant,
)
from daypass.domain.review import Review


def request_from(body: Mapping[str, Any], earlier: Request | None = None) -> Request:
    """The request that a JSON object says; of ``earlier``, the same one before, an equal spec is not read again.

    Raises MalformedError where it can't be judged: an unknown field in the spec (T63), or no requester, which only
    admission may fill in (T06). Unknown fields of status are ignored. Texts that many requests have in common are
    kept once: ten thousand of them are in memory at a time.
    """
    metadata = metadata_from(body, "AccessRequest")
    if metadata.creation_time is None:
        raise MalformedError("metadata.creationTimestamp", "is required")
    if earlier is not None and (earlier.uid, earlier.spec) == (metadata.uid, body.get("spec")):
        reviews, record = _recorded(body)
        return replace(
            earlier,
            generation=metadata.generation,
            deletion_time=metadata.deletion_time,
            reviews=reviews,
            record=record,
        )
    spec = _spec(body.get("spec"))
    if spec.requester is None:
        raise MalformedError("spec.requester", "was not stamped by admission")  # Fail closed: nobody knows who asks.
    requester = Identity(
        intern(spec.requester.username), intern(spec.requester.uid), tuple(map(intern, spec.requester.groups))
    )
    agent = spec.context.agent if spec.context else None
    data = spec.context.data if spec.context else None
    reviews, record = _recorded(body)
    return Request(
        uid=metadata.uid,
        namespace=metadata.namespace,
        name=metadata.name,
        generation=metadata.generation,
        creation_time=metadata.creation_time,
        requester=requester,
        subject=_subject(spec.subject) if spec.subject else subject_of(requester),
        grant=_grant(spec),
        duration_seconds=spec.duration_seconds,
        reason=spec.reason,
        spec=body["spec"],
        ticket=spec.ticket,
        start_time=spec.start_time,
        agent=Agent(agent.name, agent.model, agent.run, agent.tool) if agent else Agent(),
        data_classification=data.classification if data else "",
        deletion_time=metadata.deletion_time,
        reviews=reviews,
        record=record,
    )


def record_from(status: Mapping[str, Any]) -> Record:
    """What a status says but for its reviews. Raises MalformedError."""
    read = _status(status)
    return Record() if read is None else _record(read)


def _recorded(body: Mapping[str, Any]) -> tuple[tuple[Review, ...], Record]:
    status = _status(body.get("status"))
    return (tuple(map(review_of, status.reviews)), _record(status)) if status else ((), Record())


def _spec(body: object) -> AccessRequestSpec:
    if body is None:
        raise MalformedError("spec", "is required")
    try:
        return AccessRequestSpec.model_validate(body)
    except ValidationError as error:
        raise malformed(error, "spec", AccessRequestSpec) from None


def _status(body: object) -> AccessRequestStatus | None:
    if body is None:
        return None
    if not isinstance(body, dict):
        raise MalformedError("status", "must be an object")
    try:
        # The controller writes null for what is empty; the API server stores it so in no field, admission shows it.
        return AccessRequestStatus.model_validate({key: value for key, value in body.items() if value is not None})
    except ValidationError as error:
        raise malformed(error, "status") from None


def _subject(subject: SubjectModel) -> Subject:
    return Subject(SubjectKind(subject.kind), subject.name, subject.namespace or "")


def _grant(spec: AccessRequestSpec) -> Grant:
    if spec.role is not None:
        return RoleGrant(RoleReference(spec.role.kind, spec.role.name))
    if spec.workload is not None:
        return workload_of(spec.workload)
    if spec.action is not None:
        return action_of(spec.action)
    return RulesGrant(tuple(map(rule_of, spec.permissions or ())))


def rule_of(rule: PolicyRule) -> Rule:
    """The domain value of a rule that a request spells out."""
    return Rule(tuple(rule.verbs), tuple(rule.api_groups), tuple(rule.resources), tuple(rule.resource_names))


def _record(status: AccessRequestStatus) -> Record:
    return Record(
        conditions=tuple(
            Condition(
                intern(one.type),
                intern(one.status),
                intern(one.reason),
                intern(one.message),
                one.observed_generation,
                one.last_transition_time,
            )
            for one in status.conditions
        ),
        policies=tuple(PolicyReference(intern(one.name), intern(one.uid), one.generation) for one in status.policies),
        stages=tuple(map(stage_of, status.stages)),
        digest=intern(status.digest),
        pending_deadline_time=status.pending_deadline_time,
        approved_time=status.approved_time,
        start_time=status.start_time,
        expiration_time=status.expiration_time,
        end_time=status.end_time,
        objects=tuple(ObjectReference(one.kind, one.namespace, one.name, one.uid) for one in status.objects),
        uses=tuple(map(use_of, status.uses)),
    )
