"""What is heard becomes work; late news of what was there before under the same name change nothing."""

from datetime import timedelta
from typing import Any

from builders import NOON
from daypass.app.grants.requests import Requests
from daypass.app.policies.known import Policies
from daypass.app.ports import ACCESS_REQUESTS, APPROVAL_POLICIES
from daypass.controller.office import Office


class StandingClock:
    """It is noon."""

    def now(self) -> Any:  # noqa: ANN401 - a datetime
        return NOON


def a_body(uid: str, version: int) -> dict[str, Any]:
    metadata = {"name": "fix", "namespace": "shop", "uid": uid, "resourceVersion": str(version), "generation": 1}
    return {"metadata": metadata, "spec": {}}


async def test_late_news_that_a_former_request_is_gone_leave_the_new_one_its_deadline() -> None:
    requests = Requests()
    office = Office(StandingClock(), requests, Policies())
    office.heard(ACCESS_REQUESTS, a_body("first", 10), gone=False)
    office.heard(ACCESS_REQUESTS, a_body("second", 20), gone=False)
    office._alarm.set("shop/fix", NOON + timedelta(hours=1))
    office.heard(ACCESS_REQUESTS, a_body("first", 15), gone=True)
    assert requests.key_of("second") == "shop/fix"
    assert len(office._alarm) == 1
    office.heard(ACCESS_REQUESTS, a_body("second", 25), gone=True)
    assert not len(office._alarm)
    assert requests.key_of("second") is None
    office.close()


async def test_late_news_that_a_former_policy_is_gone_are_no_news() -> None:
    policies = Policies()
    office = Office(StandingClock(), Requests(), policies)
    office.heard(APPROVAL_POLICIES, a_body("first", 10), gone=False)
    office.heard(APPROVAL_POLICIES, a_body("second", 20), gone=False)
    queued = len(office._queue)
    office.heard(APPROVAL_POLICIES, a_body("first", 15), gone=True)
    assert policies.uids() == {"fix": "second"}
    assert len(office._queue) == queued
    office.close()
