"""What an AccessRequest asks of admission: leave to run a workload, or to do one operation."""

from typing import Annotated, ClassVar, Final

from pydantic import Field

from daypass.api import fields
from daypass.api.policy_grants import CONNECTED, ActionVerb
from daypass.api.schema import CheckedObject, Rule, SpecObject, atomic
from daypass.domain import gate_bounds

_OURS: Final = " Filled in by Daypass in requests that it makes itself; leave it out, for it is refused from others."


class Owner(SpecObject):
    """The object at the top of the pods' chain of owners."""

    api_version: Annotated[str, *fields.bounded(317, fields.PLAIN, least=1)] = Field(
        description="apiVersion of the object, such as apps/v1."
    )
    kind: fields.Kind = Field(description="Kind of the object, such as Deployment.")
    name: fields.ResourceName = Field(description="Name of the object.")
    uid: fields.Uid = Field(description="Uid of the object.")


class Workload(SpecObject):
    """Pods that shall run with privileges, in the request's namespace."""

    service_account_name: fields.ObjectName = Field(
        description="The ServiceAccount of the pods; default is what a pod has that names none."
    )
    privileges: list[fields.Privilege] = Field(
        **atomic(64, 1),
        description="The privileges that the pods use, each as CONTROL or CONTROL:VALUE: names of the Pod Security"
        " Standards' controls, such as HostNamespaces, or HostPathVolumes:/var/log for that value alone, and those that"
        " Daypass adds (ServiceAccountPower, SecretMount, TokenMount, Devices, VolumeClaims).",
    )
    pod_template_digest: fields.Sha256 | None = Field(
        default=None,
        description="Digest of what the pods run, as daypass digest prints it: 64 hex digits. Default: whatever they"
        " run, with these privileges.",
    )
    max_pods: Annotated[int, Field(ge=1, le=500)] = Field(
        default=1, description="How many pods in all may be admitted under the request: 1 to 500. Default: 1."
    )
    owner: Owner | None = Field(default=None, description="The object that the pods belong to." + _OURS)
    authors: list[fields.Username] = Field(
        default=[],
        **atomic(16),
        description="Who made or changed the workload, by username: none of them may approve it." + _OURS,
    )
    authors_unknown: bool = Field(
        default=False,
        description="Whether somebody may have had a hand in the workload whom nobody knows: then each stage asks for"
        " two people at least." + _OURS,
    )
    findings: list[fields.Finding] = Field(
        default=[],
        **atomic(64),
        description="What the pods run, and which privileges they use where, for the reviewer." + _OURS,
    )


class Action(CheckedObject):
    """One operation that shall be done, on one object of the request's namespace, or of the whole cluster."""

    verb: ActionVerb = Field(
        description="create, update (which includes patch), delete, or connect (exec, attach, port-forward, proxy)."
    )
    group: fields.GroupOfResource = Field(description='API group of the resource; "" is the core group.')
    resource: Annotated[str, *fields.bounded(63, fields.LABEL, least=1)] = Field(
        description="The resource in the plural, such as persistentvolumeclaims."
    )
    subresource: Annotated[str, *fields.bounded(63, fields.LABEL, least=1)] | None = Field(
        default=None, description="The subresource, such as exec. Default: none."
    )
    name: fields.ResourceName = Field(description="Name of the object, exactly.")
    object_digest: fields.Sha256 | None = Field(
        default=None,
        description="Digest of the object as it is to be, as daypass digest prints it: 64 hex digits. For delete it is"
        " over the object's uid; leave it out to mean any object of that name. Default: whatever it is.",
    )
    max_uses: Annotated[int, Field(ge=1, le=100)] = Field(
        default=1, description="How often the operation may be done: 1 to 100 times. Default: 1."
    )
    findings: list[fields.Finding] = Field(
        default=[], **atomic(64), description="What the operation does, for the reviewer." + _OURS
    )
    parties: list[fields.Username] = Field(
        default=[],
        **atomic(64),
        description="Whom a binding gives a role, by username: none of them may approve it." + _OURS,
    )
    party_groups: list[fields.GroupName] = Field(
        default=[],
        **atomic(64),
        description="The groups to which a binding gives a role: nobody in one of them may approve it." + _OURS,
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.verb != 'connect' || has(self.subresource)",
            "connect goes to a subresource, such as exec: give subresource",
            lambda action: action.verb != "connect" or action.subresource is not None,
        ),
        Rule(
            "self.verb == 'connect' || !has(self.subresource)"
            f" || !(self.resource + '/' + self.subresource in [{CONNECTED}])",
            "exec, attach, port-forward and proxy are the verb connect, whatever verb RBAC asks for",
            lambda action: (
                action.verb == "connect" or f"{action.resource}/{action.subresource}" not in gate_bounds.CONNECTED
            ),
        ),
    )
