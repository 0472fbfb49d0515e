"""What is recorded about an AccessRequest: the model of its status."""

from typing import Annotated, Literal

from pydantic import Field

from daypass.api import fields
from daypass.api.schema import LIST_MAP_KEYS, LIST_TYPE, StatusObject, atomic

Long = Annotated[str, Field(max_length=32768)]
Short = Annotated[str, Field(max_length=1024)]
Count = Annotated[int, Field(ge=0)]


class Condition(StatusObject):
    """One condition, as everywhere in Kubernetes."""

    type: Annotated[str, Field(min_length=1, max_length=316)] = Field(
        description="Name of the condition, such as Ready or Approved."
    )
    status: Literal["True", "False", "Unknown"] = Field(description="Whether the condition holds.")
    reason: Annotated[str, Field(min_length=1, max_length=1024)] = Field(
        description="One word in CamelCase that says why, such as AwaitingApproval or Expired."
    )
    message: Long = Field(default="", description="The same in a sentence, for people.")
    observed_generation: Count = Field(default=0, description="Generation of the object that the condition speaks of.")
    last_transition_time: fields.Time | None = Field(default=None, description="When the status last changed.")


class PolicyReference(StatusObject):
    """A policy as it was when it governed the request."""

    name: Short = Field(description="Name of the policy.")
    uid: fields.Uid = Field(description="Uid of the policy.")
    generation: Count = Field(description="Generation of the policy: it changes with every edit of its spec.")


class Risk(StatusObject):
    """What the access could do, computed from its permissions by Daypass itself."""

    level: Literal["Low", "Medium", "High", "Critical"] = Field(description="The highest level of any finding.")
    findings: list[Short] = Field(
        default=[], **atomic(64), description="What makes it so, each with the permission behind it."
    )


class ServiceAccountReference(StatusObject):
    """A ServiceAccount by name."""

    namespace: Short = Field(description="Namespace of the ServiceAccount.")
    name: Short = Field(description="Name of the ServiceAccount.")


class StageApprovers(StatusObject):
    """Who may answer in the stage."""

    users: list[Short] = Field(default=[], **atomic(64), description="Usernames.")
    groups: list[Short] = Field(default=[], **atomic(64), description="Groups.")
    service_accounts: list[ServiceAccountReference] = Field(
        default=[], **atomic(64), description="ServiceAccounts, which count only where they are listed."
    )


class StageProgress(StatusObject):
    """A stage that applies to this request, and how far it is."""

    policy: Short = Field(description="Name of the policy that the stage belongs to.")
    name: Short = Field(description="Name of the stage.")
    required: Count = Field(description="How many distinct people must approve.")
    approvers: StageApprovers = Field(default=StageApprovers(), description="Who may answer in the stage.")
    require_digest: bool = Field(
        default=False, description="Whether an approval must carry status.digest (at least 32 of its digits)."
    )
    approved_by: list[Short] = Field(default=[], **atomic(64), description="Who has approved so far, by username.")
    satisfied: bool = Field(default=False, description="Whether enough people have approved.")


class ReviewSubmission(StatusObject):
    """A review on its way in: the one field of status that reviewers may set. Admission signs it and clears it."""

    decision: Literal["Approve", "Deny", "Revoke", "Release"] = Field(
        description="Approve or Deny while the request waits; Revoke ends an approved one;"
        " Release is how requester or subject give it up."
    )
    comment: fields.Paragraph = Field(
        default="", description="What the reviewer says: one line of plain text, at most 1024 characters."
    )
    digest: Annotated[str, Field(max_length=64, pattern="^([0-9a-f]{32,64})?$")] = Field(
        default="",
        description="The digest of what the reviewer has read: status.digest, or at least its first 32 digits."
        " Refused when it is not the request's. Some stages demand it.",
    )


class Reviewer(StatusObject):
    """Who gave a review, as the API server authenticated them."""

    username: Short = Field(description="Username of the reviewer.")
    uid: fields.Uid = Field(default="", description="Uid of the reviewer; empty for users of client certificates.")
    groups: list[Short] = Field(default=[], **atomic(1024), description="Groups of the reviewer at that time.")
    extra: dict[str, Annotated[list[Short], Field(**atomic(64))]] = Field(
        default={}, max_length=64, description="What else the authenticator said of the reviewer."
    )


class ReviewRecord(StatusObject):
    """A review as admission recorded it. The signature covers all other fields (RFC 8785, Ed25519)."""

    version: Literal[1] = Field(description="Version of the signed document.")
    request_uid: fields.Uid = Field(alias="requestUID", description="Uid of the request that was reviewed.")
    digest: fields.Digest = Field(
        default="",
        description="The request's digest when the review was given; with another digest than today's it is void.",
    )
    digest_confirmed: bool = Field(default=False, description="Whether the reviewer sent the digest themselves.")
    decision: Literal["Approve", "Deny", "Revoke", "Release"] = Field(description="What the reviewer said.")
    comment: fields.Paragraph = Field(default="", description="Why, in the reviewer's words.")
    reviewer: Reviewer = Field(description="Who gave the review.")
    time: fields.Time = Field(description="When the review was recorded.")
    key_id: Annotated[str, Field(max_length=64)] = Field(
        alias="keyID", description="The signing key: first 16 hex digits of SHA-256 of the public key."
    )
    signature: Annotated[str, Field(max_length=128)] = Field(description="The signature, in base64.")


class CreatedObject(StatusObject):
    """An object that Daypass made for the grant."""

    kind: Short = Field(description="Kind of the object: Job, Role or RoleBinding.")
    namespace: Short = Field(default="", description="Namespace of the object.")
    name: Short = Field(description="Name of the object.")
    uid: fields.Uid = Field(default="", description="Uid of the object.")


class Use(StatusObject):
    """One admission under the approved request: a pod that was let in, or an operation that was let through."""

    key: Annotated[str, Field(min_length=1, max_length=256)] = Field(
        description="What makes two calls one use: the object's uid, with its former resourceVersion for an update."
    )
    kind: Short = Field(description="Kind of the object.")
    name: Short = Field(description="Name of the object.")
    uid: fields.Uid = Field(default="", description="Uid of the object.")
    time: fields.Time = Field(description="When admission let it through.")
    confirmed: bool = Field(
        default=False,
        description="Whether the object was seen since. A use that stays unconfirmed is given back after a while.",
    )


class AccessRequestStatus(StatusObject):
    """What is recorded: written by Daypass, but for review."""

    conditions: list[Condition] = Field(
        default=[],
        max_length=16,
        json_schema_extra={LIST_TYPE: "map", LIST_MAP_KEYS: ["type"]},
        description="Approved, Granted, Ready, Reconciling and Stalled. The reason of Ready is the request's state.",
    )
    policies: list[PolicyReference] = Field(
        default=[], **atomic(64), description="The policies that govern the request; all of them must be satisfied."
    )
    risk: Risk | None = Field(default=None, description="What the access could do.")
    stages: list[StageProgress] = Field(
        default=[], **atomic(256), description="The stages of approval that apply, and how far each is."
    )
    digest: fields.Digest = Field(
        default="",
        description="SHA-256 over everything an approver agrees to: the request, what its role allows,"
        " and the policies that govern it.",
    )
    review: ReviewSubmission | None = Field(
        default=None,
        description="Set this to review the request: the only field of status open to reviewers."
        " Admission signs it, adds it to reviews and clears it.",
    )
    reviews: list[ReviewRecord] = Field(
        default=[], **atomic(128), description="Every review so far, in the order in which they came in."
    )
    pending_deadline_time: fields.Time | None = Field(
        default=None, description="Until when the request waits for approval; then it is TimedOut."
    )
    approved_time: fields.Time | None = Field(
        default=None,
        description="When Daypass found that every approval needed was there; each review says its own time.",
    )
    start_time: fields.Time | None = Field(default=None, description="When the access became active.")
    expiration_time: fields.Time | None = Field(
        default=None, description="When the access ends by itself: activation plus durationSeconds."
    )
    end_time: fields.Time | None = Field(default=None, description="When the access ended, or the request was closed.")
    objects: list[CreatedObject] = Field(default=[], **atomic(16), description="What was made for the grant.")
    access: Short = Field(default="", description="What is asked for, in a few words.")
    uses: list[Use] = Field(
        default=[],
        **atomic(500),
        description="Of a request for a workload or an action, what was admitted under it so far.",
    )
