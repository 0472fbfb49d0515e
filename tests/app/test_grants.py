"""What is known of grants: what we did is known at once, and old news change nothing."""

from dataclasses import replace

from builders import NOON, a_request
from daypass.app.grants.found import Grants
from daypass.domain.grants import Found, FoundBinding, binding_content

REQUEST = a_request().build()


def a_binding(uid: str = "binding-1", version: str = "10") -> FoundBinding:
    return FoundBinding(Found(uid, version, "shop", "daypass-1"), binding_content(REQUEST, NOON, "job-1"))


def test_own_writes_are_known_at_once_and_are_no_news() -> None:
    news: list[str] = []
    grants = Grants(news.append)
    grants.made(a_binding())
    assert grants.observed(REQUEST.uid).binding == a_binding()
    grants.heard(None, a_binding())
    assert not news


def test_t34_what_we_deleted_does_not_come_back_with_old_news() -> None:
    news: list[str] = []
    grants = Grants(news.append)
    grants.made(a_binding())
    grants.removed(REQUEST.uid, a_binding())
    grants.heard(None, a_binding())
    grants.heard(a_binding(), a_binding(version="11"))
    grants.heard(a_binding(version="11"), None)
    assert grants.observed(REQUEST.uid).empty
    assert not news
    grants.heard(None, a_binding("binding-2", "12"))
    assert news == [REQUEST.uid]


def test_older_versions_never_replace_newer_ones() -> None:
    grants = Grants()
    grants.made(a_binding(version="10"))
    grants.heard(None, a_binding(version="9"))
    found = grants.observed(REQUEST.uid).binding
    assert found is not None
    assert found.found.version == "10"


def test_relabelled_object_leaves_its_request() -> None:
    news: list[str] = []
    grants = Grants(news.append)
    grants.heard(None, a_binding())
    other = a_binding(version="11")
    tag = replace(other.content.tag, request_uid="another")
    grants.heard(a_binding(), replace(other, content=replace(other.content, tag=tag)))
    assert grants.observed(REQUEST.uid).empty
    assert not grants.observed("another").empty
