"""The kinds of text and number that the custom resources are made of, with their limits."""

import re
from datetime import datetime
from typing import Annotated, Any, Final, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic.config import JsonDict, JsonValue
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from daypass.api.schema import VALIDATIONS, Rule, require
from daypass.domain.times import moment_from

MAX_DURATION_SECONDS: Final = 2_592_000
"""30 days: the longest grant, and the longest time that a request may wait."""
MIN_DURATION_SECONDS: Final = 10

_REFUSED: Final = (
    "\\x00-\\x1f\\x7f-\\x9f"  # control characters, with line breaks, tabs and terminal escapes
    "\\x{061c}\\x{200e}\\x{200f}\\x{202a}-\\x{202e}\\x{2066}-\\x{2069}"  # bidirectional marks, embeddings, isolates
    "\\x{200b}-\\x{200d}\\x{2028}\\x{2029}\\x{2060}-\\x{2064}\\x{feff}\\x{fff9}-\\x{fffb}"  # separators, invisible characters
    "\\x{00ad}\\x{034f}\\x{115f}\\x{1160}\\x{17b4}\\x{17b5}\\x{180b}-\\x{180f}\\x{206a}-\\x{206f}\\x{3164}\\x{ffa0}"  # blanks
    "\\x{fe00}-\\x{fe0f}\\x{e0000}-\\x{e0fff}"  # tags and variation selectors that carry hidden text
)
_REFUSED_CHARACTERS: Final = re.compile(
    "[" + re.sub(r"\\x\{([0-9a-f]+)\}", lambda found: f"\\U{int(found[1], 16):08x}", _REFUSED) + "]"
)


def is_plain(text: str) -> bool:
    """Whether text shows a reader what it holds: one line without control, bidirectional or hidden characters (T15)."""
    return (text.isascii() and text.isprintable()) or _REFUSED_CHARACTERS.search(text) is None


PLAIN: Final = Rule(
    "!self.matches('[" + _REFUSED.replace("\\", "\\\\") + "]')",
    "must be one line of plain text: line breaks, tabs and other control characters,"
    " bidirectional and invisible characters are refused",
    is_plain,
)
NOT_SYSTEM: Final = Rule(
    "!self.startsWith('system:')",
    "must not start with system: (name a ServiceAccount by kind ServiceAccount, namespace and name)",
    lambda text: not text.startswith("system:"),
)
NOT_SYSTEM_GROUP: Final = Rule(
    "!self.startsWith('system:')",
    "must not start with system: (those groups hold whole classes of callers, so anyone could approve)",
    lambda text: not text.startswith("system:"),
)
WEB_LINK: Final = Rule(
    "self.startsWith('https://') || self.startsWith('http://')",
    "must start with https:// or http://",
    lambda text: text.startswith(("https://", "http://")),
)


def _rules(*rules: Rule) -> JsonDict:
    return {VALIDATIONS: [dict[str, JsonValue](rule.as_json()) for rule in rules]}


def _held(*rules: Rule) -> AfterValidator:
    def check(text: str) -> str:
        require(rules, text)
        return text

    return AfterValidator(check)


def bounded(limit: int, *rules: Rule, least: int = 0) -> tuple[AfterValidator, FieldInfo]:
    """Text of bounded length for which these rules hold; to be unpacked into ``Annotated``."""
    bounds: dict[str, Any] = {"min_length": least} if least else {}
    return _held(*rules), Field(max_length=limit, json_schema_extra=_rules(*rules), **bounds)


def _shape(pattern: str, message: str) -> Rule:
    """A rule on the whole text; a pattern of the schema would do, but would tell a person nothing but itself."""
    compiled = re.compile(pattern)
    return Rule(f"self.matches('^{pattern}$')", message, lambda text: compiled.fullmatch(text) is not None)


_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
LABEL: Final = _shape(_LABEL, "must be lower case letters, digits and '-', and start and end with a letter or digit")
SUBDOMAIN: Final = _shape(
    f"{_LABEL}([.]{_LABEL})*",
    "must be lower case letters, digits, '-' and '.', and start and end with a letter or digit",
)
NAMESPACE_GLOB: Final = _shape(
    "[-a-z0-9*]+", "must be the name of a namespace, in which * stands for any characters (there is no other pattern)"
)
ROLE_NAME: Final = _shape(
    "[A-Za-z0-9][-A-Za-z0-9_.:@+]*", "must be the name of a role: letters, digits and any of -_.:@+ after the first"
)

RESOURCE: Final = _shape(
    f"{_LABEL}(/{_LABEL})?",
    "must be one resource in the plural, such as persistentvolumeclaims, with a subresource after a slash, such as"
    " pods/exec",
)
API_GROUP: Final = _shape(f"({_LABEL}([.]{_LABEL})*)?", 'must be an API group such as apps, or "" for the core group')
KIND: Final = _shape("[A-Z][A-Za-z0-9]*", "must be a kind, such as Job")
SHA256: Final = _shape("[0-9a-f]{64}", "must be a digest: 64 hex digits in lower case, as daypass digest prints it")
PRIVILEGE: Final = _shape(
    "[A-Za-z]+(:[^*]+)?",
    "must be CONTROL or CONTROL:VALUE, such as HostNamespaces or HostPathVolumes:/var/log (no *: a privilege"
    " without value means every value)",
)
PRIVILEGE_PATTERN: Final = _shape(
    "([A-Za-z]+|[*])(:.+)?",
    "must be CONTROL, CONTROL:VALUE or a profile, such as HostNamespaces, HostPathVolumes:/var/* or Baseline",
)

Reason: TypeAlias = Annotated[str, *bounded(1024, PLAIN, least=1)]
Paragraph: TypeAlias = Annotated[str, *bounded(1024, PLAIN)]
Word: TypeAlias = Annotated[str, *bounded(128, PLAIN)]
Message: TypeAlias = Annotated[str, *bounded(512, PLAIN, least=1)]
Link: TypeAlias = Annotated[str, *bounded(512, PLAIN, WEB_LINK, least=1)]
Username: TypeAlias = Annotated[str, *bounded(1024, PLAIN, least=1)]
"""A username as the API server authenticated it, however long an identity provider makes it."""
GroupName: TypeAlias = Annotated[str, Field(max_length=1024)]
"""A group as the API server authenticated it; RBAC sets no limits, so neither do we but for size."""
Principal: TypeAlias = Annotated[str, *bounded(256, PLAIN, least=1)]
"""A username or a group that a policy names, or a glob over them."""
ApproverUser: TypeAlias = Annotated[str, *bounded(256, PLAIN, NOT_SYSTEM, least=1)]
ApproverGroup: TypeAlias = Annotated[str, *bounded(256, PLAIN, NOT_SYSTEM_GROUP, least=1)]
NamespaceName: TypeAlias = Annotated[str, *bounded(63, LABEL, least=1)]
NamespaceGlob: TypeAlias = Annotated[str, *bounded(63, NAMESPACE_GLOB, least=1)]
ObjectName: TypeAlias = Annotated[str, *bounded(253, SUBDOMAIN, least=1)]
RoleName: TypeAlias = Annotated[str, *bounded(253, ROLE_NAME, least=1)]
StageName: TypeAlias = Annotated[str, *bounded(63, LABEL, least=1)]
Verb: TypeAlias = Annotated[str, *bounded(63, PLAIN, least=1)]
"""A verb of RBAC."""
ApiGroup: TypeAlias = Annotated[str, *bounded(253, PLAIN)]
"""An API group of RBAC; the core group is the empty string."""
ResourceName: TypeAlias = Annotated[str, *bounded(253, PLAIN, least=1)]
"""A resource or the name of an object in RBAC."""
Resource: TypeAlias = Annotated[str, *bounded(253, RESOURCE, least=1)]
"""One resource as admission knows it: no wildcard."""
GroupOfResource: TypeAlias = Annotated[str, *bounded(253, API_GROUP)]
"""One API group as admission knows it: no wildcard."""
ObjectNameGlob: TypeAlias = Annotated[str, *bounded(253, PLAIN, least=1)]
"""The name of any object, or a glob over names."""
Kind: TypeAlias = Annotated[str, *bounded(63, KIND, least=1)]
Sha256: TypeAlias = Annotated[str, *bounded(64, SHA256)]
Privilege: TypeAlias = Annotated[str, *bounded(512, PLAIN, PRIVILEGE, least=1)]
"""A privilege that a request names."""
PrivilegePattern: TypeAlias = Annotated[str, *bounded(512, PLAIN, PRIVILEGE_PATTERN, least=1)]
"""Privileges that a policy names."""
Finding: TypeAlias = Annotated[str, *bounded(512, PLAIN, least=1)]
Uid: TypeAlias = Annotated[str, Field(max_length=128)]
CelSource: TypeAlias = Annotated[str, Field(min_length=1, max_length=1024)]
Digest: TypeAlias = Annotated[str, Field(max_length=64, pattern="^([0-9a-f]{64})?$")]

NO_TIME: Final = "must be a time with its zone, such as 2026-01-31T12:00:00Z"


def _time(value: object) -> datetime:
    moment = moment_from(value)
    if moment is None:
        kind = "time"
        raise PydanticCustomError(kind, NO_TIME)
    return moment


Time: TypeAlias = Annotated[datetime, BeforeValidator(_time)]
