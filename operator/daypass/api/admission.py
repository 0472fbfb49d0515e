"""The slice of AdmissionReview that we read (admission.k8s.io/v1)."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class _Slice(BaseModel):
    """Fields that we don't read are ignored: the API server adds new ones within a version."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", strict=True)


class GroupVersionKind(_Slice):
    """A kind with its group and version."""

    group: str
    version: str
    kind: str


class GroupVersionResource(_Slice):
    """A resource with its group and version."""

    group: str
    version: str
    resource: str


class UserInfo(_Slice):
    """The caller as the API server authenticated it."""

    username: str = Field(min_length=1)
    uid: str = ""
    groups: list[str] = []
    extra: dict[str, list[str]] = {}


class AdmissionRequest(_Slice):
    """What the API server asks."""

    uid: str = Field(min_length=1, max_length=128)
    kind: GroupVersionKind
    resource: GroupVersionResource
    sub_resource: str = ""
    name: str = ""
    namespace: str = ""
    operation: Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]
    user_info: UserInfo
    object: dict[str, Any] | None = None
    old_object: dict[str, Any] | None = None
    dry_run: bool | None = False


class AdmissionReview(_Slice):
    """The envelope; another version of it can't be answered."""

    api_version: Literal["admission.k8s.io/v1"]
    kind: Literal["AdmissionReview"]
    request: AdmissionRequest
