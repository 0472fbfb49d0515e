"""Logs, metrics and health as their readers get them."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
import structlog

from daypass.observe import logs, metrics
from daypass.observe.health import HealthServer

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_metrics_document_holds_exactly_the_metrics_that_exist() -> None:
    lines = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| `daypass_")]
    assert lines == [line for line in metrics.markdown().splitlines() if line.startswith("| `daypass_")]


def test_metric_names_are_checked() -> None:
    for name in ("requests_total", "daypass_Requests_total", "daypass_requests"):
        with pytest.raises(ValueError, match="is no name"):
            metrics.counter(name, "")
    with pytest.raises(ValueError, match="is no name"):
        metrics.gauge("daypass_requests_total", "")


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure("info", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def test_logs_are_one_json_object_a_line(lines: io.StringIO) -> None:
    log = structlog.get_logger("daypass.test")
    log.info("decided", request="a\nb", token="t0p", verdict="Approved")
    log.debug("not shown")
    logging.getLogger("library").warning("older %s", "style", extra={"token": "t0p"})
    try:
        int("broken")
    except ValueError:
        log.exception("failed")
    entries = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [entry["event"] for entry in entries] == ["decided", "older style", "failed"]
    assert entries[0]["request"] == "a\nb"
    assert (entries[0]["level"], entries[0]["logger"]) == ("info", "daypass.test")
    assert entries[0]["time"].endswith("Z")
    assert "ValueError: invalid literal" in entries[2]["exception"]
    assert "t0p" not in lines.getvalue()


def test_unknown_log_level_is_refused() -> None:
    with pytest.raises(ValueError, match="loud"):
        logs.configure("loud")


async def test_health_does_not_depend_on_readiness() -> None:
    state: bool | str = "watches are not synced"
    async with HealthServer("127.0.0.1:0", lambda: state) as server, aiohttp.ClientSession() as session:

        async def fetch(path: str) -> tuple[int, str]:
            async with session.get(f"http://{server.address}{path}") as answer:
                return answer.status, await answer.text()

        assert await fetch("/healthz") == (200, "ok\n")
        assert await fetch("/readyz") == (503, "watches are not synced\n")
        state = True
        assert await fetch("/readyz") == (200, "ok\n")
        metrics.wrote("create", "jobs")
        metrics.follow_cache("pods", lambda: 7, lambda: 1, lambda: float("inf"))
        status, text = await fetch("/metrics")
        assert status == 200
        assert 'daypass_api_writes_total{resource="jobs",verb="create"}' in text
        assert 'daypass_cache_objects{resource="pods"} 7.0' in text
        assert 'daypass_cache_silence_seconds{resource="pods"} +Inf' in text
        assert "process_resident_memory_bytes" in text


@pytest.mark.parametrize("address", ["8080", "localhost:http", ""])
def test_health_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        HealthServer(address, lambda: True)
