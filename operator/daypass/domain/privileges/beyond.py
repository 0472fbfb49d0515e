"""What the Pod Security Standards leave out, and an approver wants to know."""

from collections.abc import Iterator, Mapping
from typing import Final

from daypass.domain.privileges.control import Check, Clear, Control, Profile, found_at, itself, no_key_begins
from daypass.domain.privileges.pod import EACH, MALFORMED, Field, Pod, entries

DEFAULT_AUDIENCE: Final = "default"
"""Value of TokenMount for a token that names no audience: the API server takes it."""
POWERS: Final = ("High", "Critical")

_SECRETS: Final = (
    "spec.volumes[*].secret.secretName",
    "spec.volumes[*].projected.sources[*].secret.name",
    "container.env[*].valueFrom.secretKeyRef.name",
    "container.envFrom[*].secretRef.name",
    *(
        f"spec.volumes[*].{driver}.secretRef.name"
        for driver in ("cephfs", "cinder", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos")
    ),
    "spec.volumes[*].azureFile.secretName",
    "spec.volumes[*].csi.nodePublishSecretRef.name",
)
_TOKENS: Final = "spec.volumes[*].projected.sources[*].serviceAccountToken"
_CERTIFICATES: Final = "spec.volumes[*].projected.sources[*].podCertificate"
_AMOUNTS: Final = tuple(
    f"{holder}.resources.{kind}" for holder in ("spec", "container") for kind in ("limits", "requests")
)
_RESOURCE_CLAIMS: Final = "spec.resourceClaims[*]"
_CLAIMS: Final = "spec.volumes[*].persistentVolumeClaim.claimName"
_TEMPLATES: Final = "spec.volumes[*].ephemeral.volumeClaimTemplate"

_tokens, _certificates = Field.parse(_TOKENS), Field.parse(_CERTIFICATES)
_amounts: Final = tuple(map(Field.parse, _AMOUNTS))
_resource_claims: Final = Field.parse(_RESOURCE_CLAIMS)
_templates: Final = Field.parse(_TEMPLATES)
_secrets: Final = found_at(_SECRETS, lambda _found: False, itself)
_claims: Final = found_at((_CLAIMS,), lambda _found: False, itself)

_BY_NAME: Final = "cdi."
"""The Container Device Interface: names of devices, by commas; what others write is not read further."""
_DEVICE_ANNOTATIONS: Final = (
    *("cdi.k8s.io/", "cdi.nri.io", "devices.nri.io"),
    *("devices.crio.io", "io.kubernetes.cri-o.Devices"),
)
"""Container runtimes and their plugins give devices to pods that have these, and no resource needs to be asked for."""

_NATIVE: Final = frozenset(("cpu", "memory", "ephemeral-storage"))
_NATIVE_PREFIXES: Final = ("hugepages-", "attachable-volumes-")


def _token_uses(pod: Pod) -> Iterator[tuple[str, str]]:
    for token, path in pod.at(_tokens):
        if token is not None:
            audience = token.get("audience") if isinstance(token, Mapping) else MALFORMED
            yield (DEFAULT_AUDIENCE if audience in (None, "") else itself(audience, path)), path
    for certificate, path in pod.at(_certificates):
        if certificate is not None:
            signer = certificate.get("signerName") if isinstance(certificate, Mapping) else MALFORMED
            yield (f"certificate={signer}" if isinstance(signer, str) and signer else ""), path


def _device_uses(pod: Pod) -> Iterator[tuple[str, str]]:
    for field in _amounts:
        for holder in pod.at(field):
            for found, path in entries(*holder):
                if not isinstance(found, tuple):
                    yield "", path
                elif not _is_native(name := str(found[0])) and found[1] not in ("0", None):
                    yield name, path
    for claim, path in pod.at(_resource_claims):
        yield _resource_claim(claim), path
    for found, path in pod.annotations(*_DEVICE_ANNOTATIONS):
        key, value = found if isinstance(found, tuple) else ("", MALFORMED)
        named = map(str.strip, value.split(",")) if key.startswith(_BY_NAME) and isinstance(value, str) else ("",)
        for device in dict.fromkeys(named):
            yield device, path


def _is_absent(found: object) -> bool:
    return found is None


def _all_native(amounts: object) -> bool:
    if not isinstance(amounts, dict):
        return amounts is None
    for resource in amounts:  # noqa: SIM110 - a generator costs more than all the comparisons
        if not _is_native(resource):
            return False
    return True


def _is_native(resource: str) -> bool:
    return resource in _NATIVE or resource.startswith(_NATIVE_PREFIXES)


def _resource_claim(claim: object) -> str:
    if not isinstance(claim, Mapping):
        return ""
    names = [
        f"{kind}/{claim[key]}"
        for kind, key in (
            ("ResourceClaim", "resourceClaimName"),
            ("ResourceClaimTemplate", "resourceClaimTemplateName"),
        )
        if isinstance(claim.get(key), str)
    ]
    return names[0] if len(names) == 1 else ""


def _claim_uses(pod: Pod) -> Iterator[tuple[str, str]]:
    yield from _claims(pod)
    for template, path in pod.at(_templates):
        yield from _new_claim(template, path)


def _new_claim(template: object, path: str) -> Iterator[tuple[str, str]]:
    """A claim made with the pod: its storage class, and what existing data it starts from."""
    spec = template.get("spec") if isinstance(template, Mapping) else None
    if not isinstance(spec, Mapping):
        yield "", path
        return
    storage_class = spec.get("storageClassName", DEFAULT_AUDIENCE)
    yield (f"ephemeral/{storage_class}" if isinstance(storage_class, str) else ""), f"{path}.spec"
    if spec.get("selector") is not None:
        # Fail closed: any volume of the cluster may fit a selector.
        yield "", f"{path}.spec.selector"
    if (volume := spec.get("volumeName")) not in (None, ""):
        yield (f"PersistentVolume/{volume}" if isinstance(volume, str) else ""), f"{path}.spec.volumeName"
    for key in ("dataSource", "dataSourceRef"):
        if (source := spec.get(key)) is not None:
            yield _data_source(source), f"{path}.spec.{key}"


def _data_source(source: object) -> str:
    """The claim whose data are copied by its name, as if it were mounted; anything else by kind and name."""
    if not isinstance(source, Mapping) or source.get("namespace"):
        return ""
    kind, name = source.get("kind"), source.get("name")
    if not isinstance(kind, str) or not isinstance(name, str):
        return ""
    return name if kind == "PersistentVolumeClaim" else f"{kind}/{name}"


_token_mounts: Final = Check(_token_uses, (Clear(_tokens, _is_absent), Clear(_certificates, _is_absent)))
_devices: Final = Check(
    _device_uses,
    (
        *(Clear(field, _all_native) for field in _amounts),
        Clear(Field.parse(_RESOURCE_CLAIMS.removesuffix(EACH)), lambda claims: claims in (None, [])),
        Clear(Field.parse("metadata.annotations"), no_key_begins(*_DEVICE_ANNOTATIONS)),
    ),
)
_volume_claims: Final = Check(_claim_uses, (*_claims.clear, Clear(_templates, lambda _found: False)))


def _no_field(_pod: Pod) -> Iterator[tuple[str, str]]:
    """What a ServiceAccount may do stands in RBAC objects, not in the pod."""
    yield from ()


_no_fields: Final = Check(_no_field, ())

BEYOND: Final = (
    Control(
        "ServiceAccountPower",
        Profile.BEYOND,
        ("spec.serviceAccountName",),
        "a ServiceAccount whose roles come to a Low or Medium risk",
        "the risk of what its roles let it do",
        _no_fields,
        POWERS,
    ),
    Control(
        "SecretMount",
        Profile.BEYOND,
        _SECRETS,
        "absent",
        "the Secret's name",
        _secrets,
        None,
    ),
    Control(
        "TokenMount",
        Profile.BEYOND,
        (_TOKENS, _CERTIFICATES),
        "absent",
        f"the token's audience, {DEFAULT_AUDIENCE} for the API server's; certificate=SIGNER for a certificate",
        _token_mounts,
        None,
    ),
    Control(
        "Devices",
        Profile.BEYOND,
        (
            *(f"{field}[*]" for field in _AMOUNTS),
            _RESOURCE_CLAIMS,
            *(f"metadata.annotations[{beginning}*]" for beginning in _DEVICE_ANNOTATIONS),
        ),
        "cpu, memory, ephemeral-storage, hugepages-*, attachable-volumes-*; an amount of 0",
        "the resource, such as nvidia.com/gpu; ResourceClaim/NAME, ResourceClaimTemplate/NAME; VENDOR/CLASS=NAME",
        _devices,
        None,
    ),
    Control(
        "VolumeClaims",
        Profile.BEYOND,
        (_CLAIMS, _TEMPLATES),
        "absent",
        "the claim's name; ephemeral/STORAGECLASS, PersistentVolume/NAME, KIND/NAME of what a new claim starts from",
        _volume_claims,
        None,
    ),
)
