"""Decides whether a resource that a policy names is one of Kubernetes' own, or a slip for one of them.

A gate on a resource that there is not stands in the webhook configuration and stops nothing. Groups without a dot hold
no custom resources, so there a slip is certain; elsewhere somebody's own resource may be called so.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

_ANY: Final = "*"
_TABLE: Final = """
: Binding ComponentStatus/cs ConfigMap/cm Endpoints/ep Event/ev LimitRange/limits Namespace/ns Node/no
: PersistentVolume/pv PersistentVolumeClaim/pvc Pod/po PodTemplate ReplicationController/rc ResourceQuota/quota
: Secret Service/svc ServiceAccount/sa
apps: ControllerRevision DaemonSet/ds Deployment/deploy ReplicaSet/rs StatefulSet/sts
autoscaling: HorizontalPodAutoscaler/hpa
batch: CronJob/cj Job
policy: PodDisruptionBudget/pdb
admissionregistration.k8s.io: MutatingAdmissionPolicy MutatingAdmissionPolicyBinding MutatingWebhookConfiguration
admissionregistration.k8s.io: ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration
apiextensions.k8s.io: CustomResourceDefinition/crd/crds
apiregistration.k8s.io: APIService
authentication.k8s.io: SelfSubjectReview TokenReview
authorization.k8s.io: LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview
certificates.k8s.io: CertificateSigningRequest/csr ClusterTrustBundle PodCertificateRequest
coordination.k8s.io: Lease LeaseCandidate
discovery.k8s.io: EndpointSlice
events.k8s.io: Event/ev
flowcontrol.apiserver.k8s.io: FlowSchema PriorityLevelConfiguration
internal.apiserver.k8s.io: StorageVersion
networking.k8s.io: Ingress/ing IngressClass IPAddress/ip NetworkPolicy/netpol ServiceCIDR
node.k8s.io: RuntimeClass
rbac.authorization.k8s.io: ClusterRole ClusterRoleBinding Role RoleBinding
resource.k8s.io: DeviceClass DeviceTaintRule ResourceClaim ResourceClaimTemplate ResourceSlice
scheduling.k8s.io: PriorityClass/pc
storage.k8s.io: CSIDriver CSINode CSIStorageCapacity StorageClass/sc VolumeAttachment VolumeAttributesClass/vac
storagemigration.k8s.io: StorageVersionMigration
"""
"""Each line one group, its kinds and their short names, as the API server's discovery has them."""
_SUBRESOURCES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "namespaces": ("finalize", "status"),
        "pods": (
            *("attach", "binding", "ephemeralcontainers", "eviction", "exec", "log", "portforward", "proxy"),
            *("resize", "status"),
        ),
        "serviceaccounts": ("token",),
        "services": ("proxy", "status"),
        **dict.fromkeys(("deployments", "replicasets", "replicationcontrollers", "statefulsets"), ("scale", "status")),
    }
)
"""Those that somebody would gate."""


@dataclass(frozen=True, slots=True)
class Slip:
    """What is wrong with a resource that somebody named; ``certain`` where nothing can be called so."""

    message: str
    certain: bool


def slip(resource: str, groups: Sequence[str]) -> Slip | None:
    """What is wrong with ``PLURAL`` or ``PLURAL/SUBRESOURCE`` in these groups, as far as Kubernetes' own tell.

    Rule: it must be a resource of one of the groups, for policies list groups and resources side by side. A kind, its
    singular or a short name is none; nor is a resource of another group. What nobody knows in a group with a dot may
    be somebody's own.
    """
    plural, slash, below = resource.partition("/")
    searched = [*_PLURALS] if _ANY in groups else groups
    if plural == _ANY or any(plural in _PLURALS.get(group, ()) for group in searched):
        return _subresource(plural, below) if slash and plural in _SUBRESOURCES else None
    open_groups = [group for group in groups if group == _ANY or ("." in group and group not in _PLURALS)]
    certain = not open_groups
    meant = dict.fromkeys(_of_word(plural, searched))
    if meant:
        return Slip(f"there is no resource {plural} in {_in(groups)}; did you mean {_or(meant)}?", certain)
    elsewhere = [group for group, plurals in _PLURALS.items() if plural in plurals]
    if elsewhere and certain:
        return Slip(f"{plural} are in {_in(elsewhere)}, not in {_in(groups)}", certain)
    meant = dict.fromkeys(found for found in _of_word(plural, _PLURALS) if found != plural)
    if meant:
        places = dict.fromkeys(group for group, plurals in _PLURALS.items() if meant.keys() & set(plurals))
        text = f"there is no resource {plural} in {_in(groups)}; did you mean {_or(meant)} in {_in(list(places))}?"
        return Slip(text, certain)
    if open_groups:
        return None
    known = [one for group in groups for one in _PLURALS.get(group, ())]
    close = get_close_matches(plural, known, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return Slip(f"Daypass knows no resource {plural} in {_in(groups)}{hint}", certain=False)


def _subresource(plural: str, below: str) -> Slip | None:
    known = _SUBRESOURCES[plural]
    if below in (_ANY, *known):
        return None
    flat = {one.replace("-", ""): one for one in known}
    close = get_close_matches(below.replace("-", "").lower(), flat, n=1)
    hint = f"; did you mean {plural}/{flat[close[0]]}?" if close else f": it has {', '.join(known)}"
    return Slip(f"Daypass knows no subresource {below} of {plural}{hint}", certain=False)


def _of_word(word: str, groups: Iterable[str]) -> Iterator[str]:
    """The resources of these groups for which somebody may have written the word."""
    for group in groups:
        found = _WORDS.get(group, {}).get(word.lower())
        if found is not None:
            yield found


def _in(groups: Sequence[str]) -> str:
    named = [group or '""' for group in groups]
    if named == ['""']:
        return 'the core group, ""'
    return f"group{'s' if len(named) > 1 else ''} {_or(named)}"


def _or(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _plural(kind: str) -> str:
    singular = kind.lower()
    if singular == "endpoints":
        return singular
    if singular.endswith(("s", "x")):
        return f"{singular}es"
    return f"{singular[:-1]}ies" if singular.endswith("y") else f"{singular}s"


def _read() -> tuple[dict[str, tuple[str, ...]], dict[str, dict[str, str]]]:
    """By group: the resources; and every other word for one of them, in lower case."""
    plurals: dict[str, tuple[str, ...]] = {}
    words: dict[str, dict[str, str]] = {}
    for line in _TABLE.strip().splitlines():
        group, _, kinds = line.partition(":")
        for entry in kinds.split():
            kind, *short = entry.split("/")
            plural = _plural(kind)
            plurals[group] = (*plurals.get(group, ()), plural)
            words.setdefault(group, {}).update(dict.fromkeys((kind.lower(), plural, *short), plural))
    return plurals, words


_PLURALS, _WORDS = _read()
