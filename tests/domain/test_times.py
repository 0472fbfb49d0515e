"""One reader and one writer of times."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daypass.domain.times import moment_from, rfc3339


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-02T12:00:00Z", datetime(2026, 3, 2, 12, tzinfo=UTC)),
        ("2026-03-02t12:00:00z", datetime(2026, 3, 2, 12, tzinfo=UTC)),
        ("2026-03-02T14:00:00+02:00", datetime(2026, 3, 2, 12, tzinfo=UTC)),
        ("2026-03-02T12:00:00.123456Z", datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_in_utc(text: str, moment: datetime) -> None:
    read = moment_from(text)
    assert read == moment
    assert read.utcoffset() == timedelta()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-03-02",
        "2026-03-02T12:00:00",  # whose noon?
        "2026-03-02 12:00:00Z",
        "20260302T120000Z",
        "2026-13-02T12:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "2026-03-02T12:00:00Z\n",
        1772452800,
        None,
        datetime(2026, 3, 2, 12, tzinfo=UTC),
    ],
)
def test_what_is_no_time_with_its_zone_is_none(text: object) -> None:
    assert moment_from(text) is None


@given(st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - the zone is given apart
def test_what_is_written_is_read_again_to_the_second(moment: datetime) -> None:
    assert moment_from(rfc3339(moment)) == moment.replace(microsecond=0)


@given(st.text())
def test_any_text_is_a_time_or_none(text: str) -> None:
    assert moment_from(text) is None or text[:4].isdecimal()
