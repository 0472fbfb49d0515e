"""Logs: one JSON object a line on standard output, our own and those of the libraries.

Each decision is such a line, so what a line holds is read by machines: ``event`` says what happened, the other keys
are names of fixed meaning. Secrets never get here (design: no token, key or Secret's data is given to a logger); what
is called like one is masked all the same, because a library may log what we would not.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import structlog

LEVELS: Final = ("debug", "info", "warning", "error")
MASKED: Final = frozenset({"authorization", "token", "password", "private_key", "key_pem"})
QUIET: Final = {
    "aiohttp.access": logging.WARNING,
    "asyncio": logging.WARNING,
    "kopf": logging.WARNING,
    "kopf._core.reactor.running": logging.ERROR,
}
"""Libraries whose ordinary chatter would drown the decisions; the last warns that signals are not kopf's, as it is."""


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Route structlog and the standard library's logging to JSON lines; raises ValueError for an unknown level."""
    if level not in LEVELS:
        text = f"log level {level!r} is none of {', '.join(LEVELS)}"
        raise ValueError(text)
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
        mask,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=True, default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(max(number, least))
    logging.captureWarnings(capture=True)


def mask(_logger: object, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the value of every key that is called like a secret; a last resort, not the rule."""
    for key in entry:
        if key.lower() in MASKED:
            entry[key] = "***"
    return entry
