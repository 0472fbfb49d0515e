"""The kinds of text and number that the custom resources are made of, with their limits."""

import re
from datetime import UTC, datetime
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from daypass.api.schema import VALIDATIONS, Rule, require

MAX_DURATION_SECONDS: Final = 2_592_000
"""30 days: the longest grant, and the longest time that a request may wait."""
MIN_DURATION_SECONDS: Final = 10

_REFUSED: Final = (
    "\\x00-\\x1f\\x7f-\\x9f"  # control characters, with line breaks, tabs and terminal escapes
    "\\x{061c}\\x{200e}\\x{200f}\\x{202a}-\\x{202e}\\x{2066}-\\x{2069}"  # bidirectional marks, embeddings, isolates
    "\\x{200b}\\x{2028}\\x{2029}\\x{2060}-\\x{2064}\\x{feff}\\x{fff9}-\\x{fffb}"  # separators, invisible characters
    "\\x{e0000}-\\x{e0fff}"  # tags and variation selectors that carry hidden text
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


def _rules(*rules: Rule) -> dict[str, object]:
    return {VALIDATIONS: [rule.as_json() for rule in rules]}


def _plain(text: str) -> str:
    require((PLAIN,), text)
    return text


def _plain_user(text: str) -> str:
    require((PLAIN, NOT_SYSTEM), text)
    return text


def _plain_group(text: str) -> str:
    require((PLAIN, NOT_SYSTEM_GROUP), text)
    return text


def _plain_link(text: str) -> str:
    require((PLAIN, WEB_LINK), text)
    return text


_PlainText: TypeAlias = Annotated[str, AfterValidator(_plain), Field(json_schema_extra=_rules(PLAIN))]
Reason: TypeAlias = Annotated[_PlainText, Field(min_length=1, max_length=1024)]
Paragraph: TypeAlias = Annotated[_PlainText, Field(max_length=1024)]
Word: TypeAlias = Annotated[_PlainText, Field(max_length=128)]
Message: TypeAlias = Annotated[_PlainText, Field(min_length=1, max_length=512)]
Principal: TypeAlias = Annotated[_PlainText, Field(min_length=1, max_length=256)]
"""A username or a group as the API server authenticated it, or a glob over them."""
ApproverUser: TypeAlias = Annotated[
    str, AfterValidator(_plain_user), Field(min_length=1, max_length=256, json_schema_extra=_rules(PLAIN, NOT_SYSTEM))
]
ApproverGroup: TypeAlias = Annotated[
    str,
    AfterValidator(_plain_group),
    Field(min_length=1, max_length=256, json_schema_extra=_rules(PLAIN, NOT_SYSTEM_GROUP)),
]
Link: TypeAlias = Annotated[
    str, AfterValidator(_plain_link), Field(min_length=1, max_length=512, json_schema_extra=_rules(PLAIN, WEB_LINK))
]

_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
NamespaceName: TypeAlias = Annotated[str, Field(min_length=1, max_length=63, pattern=f"^{_LABEL}$")]
ObjectName: TypeAlias = Annotated[str, Field(min_length=1, max_length=253, pattern=rf"^{_LABEL}(\.{_LABEL})*$")]
NamespaceGlob: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=63, pattern="^[a-z0-9*]([-a-z0-9*]*[a-z0-9*])?$")
]
RoleName: TypeAlias = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9][-A-Za-z0-9_.:@+]*$")]
StageName: TypeAlias = Annotated[str, Field(min_length=1, max_length=63, pattern=f"^{_LABEL}$")]
Uid: TypeAlias = Annotated[str, Field(max_length=128)]
RuleWord: TypeAlias = Annotated[_PlainText, Field(min_length=1, max_length=63)]
"""A verb of RBAC."""
RuleGroup: TypeAlias = Annotated[_PlainText, Field(max_length=253)]
"""An API group of RBAC; the core group is the empty string."""
RuleName: TypeAlias = Annotated[_PlainText, Field(min_length=1, max_length=253)]
"""A resource or an object name of RBAC."""
CelSource: TypeAlias = Annotated[str, Field(min_length=1, max_length=1024)]
Digest: TypeAlias = Annotated[str, Field(max_length=64, pattern="^([0-9a-f]{64})?$")]


_RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


def read_time(value: object) -> datetime:
    """The time that an RFC 3339 text says, in UTC; raises ValueError for anything else."""
    if not isinstance(value, str) or _RFC_3339.fullmatch(value) is None:
        message = "must be a time with its zone, such as 2026-01-31T12:00:00Z"
        raise ValueError(message)
    return datetime.fromisoformat(value.upper()).astimezone(UTC)


def _time(value: object) -> datetime:
    try:
        return read_time(value)
    except (ValueError, OverflowError):
        kind, text = "time", "must be a time with its zone, such as 2026-01-31T12:00:00Z"
        raise PydanticCustomError(kind, text) from None


Time: TypeAlias = Annotated[datetime, BeforeValidator(_time)]
