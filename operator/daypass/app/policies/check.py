"""Decides whether the policies of some files could be applied: what ``daypass policy check`` says."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from daypass.api.documents import UnreadableError, documents
from daypass.app.policies.validation import validate_policy
from daypass.domain import gate_answers, gate_rules, names, policy_rules
from daypass.domain.expressions import Expressions
from daypass.domain.gate_bounds import DEFAULT_BOUNDS, Bounds
from daypass.domain.policy import Effect, Match, OnMissing, Policy
from daypass.domain.violations import Violation

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_MAX_NAME: Final = 253


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or a warning, with the file, the document (from 1; 0 for the file) and the policy."""

    file: str
    document: int
    policy: str
    violation: Violation

    def __str__(self) -> str:
        """One line for a person."""
        place = f"{self.file}: document {self.document}" if self.document else self.file
        return f"{place} ({self.policy}): {self.violation}" if self.policy else f"{place}: {self.violation}"


@dataclass(slots=True)
class Report:
    """What a check found; it passed if there are no errors."""

    valid: list[str] = field(default_factory=list)
    """Names of the policies with which nothing is wrong."""
    errors: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Document:
    file: str
    number: int
    body: Mapping[str, Any]
    name: str

    def finding(self, violation: Violation) -> Finding:
        return Finding(self.file, self.number, self.name, violation)


def check(
    files: Mapping[str, str],
    expressions: Expressions,
    *,
    walked: Collection[str] = (),
    bounds: Bounds = DEFAULT_BOUNDS,
) -> Report:
    """Judge every ApprovalPolicy in the texts, by itself and beside the others; objects of other groups are left out.

    Rule: what the webhook would refuse is an error; a name in ``unless`` that is in none of the files is a warning,
    for that policy may be in the cluster already, and so is a gate that stops what no Allow policy in them lets anybody
    ask for, or Daypass ask for where it makes the requests. ``bounds`` is what no gate covers in that cluster. A file
    that was ``walked`` upon in a folder may hold no policy, but some file must hold one.
    """
    report = Report()
    found: list[_Document] = []
    for file, text in files.items():
        policies = list(_policies(file, text, report))
        found += policies
        if not policies and file not in walked and not any(one.file == file for one in report.errors):
            # Fail closed: a check that looked at nothing must not pass for one that found nothing.
            report.errors.append(Finding(file, 0, "", Violation("", "holds no ApprovalPolicy")))
    if not found and not report.errors:
        where = ", ".join(sorted({file.rpartition("/")[0] or "." for file in walked}))
        report.errors.append(Finding(where, 0, "", Violation("", "holds no ApprovalPolicy")))
    judged = [(one, *validate_policy(one.body, expressions, bounds=bounds)) for one in found]
    known = [policy for _, policy, _ in judged if policy is not None]
    unreadable = [
        Policy(one.name, "", 0, Effect.DENY, Match()) for one, policy, _ in judged if policy is None
    ]  # they are there all the same, and have errors of their own
    names_so_far: set[str] = set()
    for one, policy, violations in judged:
        errors = [*violations, *_name(one.name, names_so_far)]
        if policy is not None:
            others = [other for other in known if other is not policy]
            errors += [each for each in policy_rules.violations(policy, others, bounds) if each not in violations]
            warnings = (*policy_rules.unresolved(policy, [*others, *unreadable]), *gate_rules.doubtful(policy))
            warnings += tuple(_of_no_effect(policy, one.body))
            if not errors and not unreadable:
                warnings += gate_answers.warnings(policy, others)
            report.warnings += map(one.finding, warnings)
        report.errors += map(one.finding, errors)
        if not errors:
            report.valid.append(one.name)
    return report


def _of_no_effect(policy: Policy, body: Mapping[str, Any]) -> Iterator[Violation]:
    """What somebody wrote out and what changes nothing; the policy itself no longer says that it was written."""
    workloads = policy.gate.workloads if policy.gate is not None else None
    if workloads is None or workloads.on_missing is not OnMissing.HOLD:
        return
    if body["spec"]["gate"]["workloads"].get("request") is False:
        why = "a pod that is held always has its request made, so false says nothing: leave it out"
        yield Violation("spec.gate.workloads.request", why)


def _policies(file: str, text: str, report: Report) -> Iterator[_Document]:
    """The policies of one text; what can't be read, and what looks like a policy and is none, is an error."""
    try:
        for number, body in documents(text):
            if not isinstance(body, dict):
                report.errors.append(Finding(file, number, "", Violation("", "is not an object")))
                continue
            group = str(body.get("apiVersion", "")).partition("/")[0]
            kind = body.get("kind")
            if kind == "ApprovalPolicy":
                yield _Document(file, number, body, _name_of(body))
                if "apiVersion" not in body:
                    report.errors.append(Finding(file, number, "", Violation("apiVersion", "is required")))
            elif group == names.GROUP and kind != "AccessRequest":
                what = Violation("kind", f"{kind} is no kind of {names.GROUP}: ApprovalPolicy or AccessRequest")
                report.errors.append(Finding(file, number, "", what))
    except UnreadableError as error:
        report.errors.append(Finding(file, 0, "", Violation("", str(error))))


def _name_of(body: Mapping[str, Any]) -> str:
    metadata = body.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


def _name(name: str, names_so_far: set[str]) -> Iterable[Violation]:
    if not name:
        return (Violation("metadata.name", "is required"),)
    if len(name) > _MAX_NAME or _NAME.fullmatch(name) is None:
        return (Violation("metadata.name", "must be lower case letters, digits, '-' and '.', at most 253"),)
    if name in names_so_far:
        return (Violation("metadata.name", "another policy in these files has the same name"),)
    names_so_far.add(name)
    return ()
