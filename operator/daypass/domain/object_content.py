"""Decides what of an object its digest covers: all that somebody wrote, nothing that the API server adds."""

import re
from collections.abc import Mapping
from typing import Any, Final

from daypass.domain.exact_numbers import exact
from daypass.domain.json_values import inner
from daypass.domain.pod_template import name_token_volume

_SERVER_SET: Final = frozenset(
    {
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "selfLink",
    }
)
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
"""The manifest once more, in kubectl's own spelling; or any other text, for nobody checks that."""
_GENERATED: Final = re.compile("[bcdfghjklmnpqrstvwxz2456789]{5}")
"""What the API server adds to a generateName: five of these characters."""
_LONGEST_PREFIX: Final = 58
"""Longer ones are cut before that."""
_OWN_UID: Final = ("batch.kubernetes.io/controller-uid", "controller-uid")
"""By these labels a Job finds its pods; the API server writes them."""


def content(obj: Mapping[str, Any], subresource: str = "") -> dict[str, Any]:
    """What ``objectDigest`` is over: the object without ``status`` and without the metadata that the API server sets.

    Rule: kind, name, labels, annotations, finalizers, owners and all other fields stay, unknown ones too. The copy of
    the manifest that kubectl keeps goes, but for a pod's, which its containers can read. A name made from
    ``generateName`` goes, because it is another at each call, and so are the name of a pod's token volume and the uid
    that a Job has in its selector and in its pods' labels: else nobody could be approved to make one. An operation on
    ``status`` keeps the status: that is what it writes. Raises ValueError for an object that is nested without end.
    """
    kept = dict(exact(written(obj, subresource)))
    match str(kept.get("apiVersion")).rpartition("/")[0], kept.get("kind"):
        case "", "Pod":
            name_token_volume(inner(kept, "spec"))
        case "batch", "Job":
            _name_own_uid(inner(kept, "spec"), inner(obj, "metadata").get("uid"))
        case _:
            pass
    return kept


def written(obj: Mapping[str, Any], subresource: str = "") -> dict[str, Any]:
    """The same with all numbers as they are: what can be sent to an API server again."""
    kept = {key: value for key, value in obj.items() if key != "status" or subresource == "status"}
    metadata = kept.get("metadata")
    if isinstance(metadata, Mapping):
        is_pod = (obj.get("apiVersion"), obj.get("kind")) == ("v1", "Pod")
        kept["metadata"] = _metadata(metadata, frozenset() if is_pod else frozenset({LAST_APPLIED}))
    return kept


def has_generated_name(obj: Mapping[str, Any]) -> bool:
    """Whether the API server made the object's name, as far as that shows: it adds five characters to generateName."""
    metadata = obj.get("metadata")
    if not isinstance(metadata, Mapping):
        return False
    prefix, name = metadata.get("generateName"), metadata.get("name")
    return bool(prefix) and isinstance(prefix, str) and isinstance(name, str) and _is_generated(prefix, name)


def _metadata(metadata: Mapping[str, Any], ignored: frozenset[str]) -> dict[str, Any]:
    kept = {key: value for key, value in metadata.items() if key not in _SERVER_SET}
    if has_generated_name({"metadata": kept}):
        del kept["name"]
    if isinstance(kept.get("annotations"), Mapping):
        kept["annotations"] = {key: value for key, value in kept["annotations"].items() if key not in ignored}
    return {key: value for key, value in kept.items() if value not in ({}, [], None, "")}


def _name_own_uid(job: dict[str, Any], uid: object) -> None:
    of_pods = inner(inner(inner(job, "template"), "metadata"), "labels")
    for labels in (inner(inner(job, "selector"), "matchLabels"), of_pods):
        for key in _OWN_UID:
            if uid and labels.get(key) == uid:
                labels[key] = "$(uid)"


def _is_generated(prefix: str, name: str) -> bool:
    return _GENERATED.fullmatch(name[-5:]) is not None and name[:-5] == prefix[:_LONGEST_PREFIX]
