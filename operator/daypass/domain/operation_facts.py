"""Decides what an approver reads of an operation: whom it gives what, what runs, what is written (T44, T58)."""

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Final

from daypass.domain.action_gates import BindingSubject
from daypass.domain.plain_text import shortened

MOST_SUBJECTS: Final = 16
LONGEST_NAME: Final = 128
LONGEST_COMMAND: Final = 400


def binding(verb: str, role: object, subjects: Sequence[BindingSubject]) -> tuple[str, ...]:
    """Whom a binding gives a role, or takes it from, a line each.

    Names are quoted, for a user's may hold anything: nothing in one reads as another subject.
    """
    kind, name = (role.get("kind"), role.get("name")) if isinstance(role, Mapping) else (None, None)
    what, way = (f"takes {kind} {quoted(name)}", "from") if verb == "delete" else (f"gives {kind} {quoted(name)}", "to")
    if not subjects:
        return (f"{what} {way} nobody new",)
    lines = (f"{what} {way} {_subject(one)}" for one in subjects)
    return _first(lines, MOST_SUBJECTS, len(subjects), "subjects")


def going_in(options: object) -> tuple[str, ...]:
    """What runs by an exec, or that an attach joins what runs; options as the API server has them."""
    given = options if isinstance(options, Mapping) else {}
    command = given.get("command")
    words = [str(word) for word in command] if isinstance(command, Sequence) and not isinstance(command, str) else []
    said = f"runs: {shortened(shlex.join(words), LONGEST_COMMAND)}" if words else "goes into what runs"
    match bool(given.get("stdin")), bool(given.get("tty")):
        case True, True:
            said += ", with a terminal: whatever is typed runs"
        case True, False:
            said += ", with input: whatever is sent may run"
        case False, True:
            said += ", with a terminal to look at"
        case _:
            pass
    container = given.get("container")
    return (said, f"container: {quoted(container) if container else 'the first'}")


def quoted(value: object) -> str:
    """A text of strangers as a JSON string, so that it is plain where it ends; hidden characters are still in it."""
    return json.dumps(shortened(value if isinstance(value, str) else "", LONGEST_NAME), ensure_ascii=False)


def _subject(one: BindingSubject) -> str:
    return f"{one.kind} {quoted(one.namespace) + '/' if one.namespace else ''}{quoted(one.name)}"


def _first(lines: Iterable[str], most: int, count: int, what: str) -> tuple[str, ...]:
    if count <= most:
        return tuple(lines)
    return (*islice(lines, most - 1), f"and {count - most + 1} more {what}")
