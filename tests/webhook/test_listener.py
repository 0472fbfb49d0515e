"""What comes over the wire: whoever sends it, whatever it is, the answer is clear and the server stays up."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator

import aiohttp
import pytest
import trustme

from daypass.observe.metrics import REGISTRY
from daypass.webhook.listener import MAX_BODY
from webhook.desk import UID, Desk, a_manifest, a_review, raw_request, trusting

MUTATING = "/" + "a" * 64
GOOD = a_review("CREATE", new=a_manifest())


async def _is_up(desk: Desk) -> None:
    assert (await desk.mutate(GOOD))["allowed"]


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/metrics", "/" + "a" * 63, "/" + "a" * 65, MUTATING + "/", MUTATING.upper(), "/%61" * 64]
)
async def test_t52_any_other_path_is_not_found(desk: Desk, path: str) -> None:
    assert await desk.post(path, GOOD) == (404, b"not found")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
async def test_t52_any_other_method_is_not_found(desk: Desk, method: str) -> None:
    async with desk.client.request(method, f"https://{desk.address}{MUTATING}", json=GOOD) as answer:
        assert answer.status == 404


async def test_t52_a_stranger_learns_nothing_from_a_large_body(desk: Desk) -> None:
    head = b"POST /guess HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n"
    answer = await raw_request(desk.address, trusting_any(), head + b"x" * 1000)
    assert answer.startswith(b"HTTP/1.1 404")
    await _is_up(desk)


async def test_t52_the_paths_of_the_two_configurations_are_not_one(desk: Desk) -> None:
    review = a_review("CREATE", "approvalpolicies", new={"kind": "ApprovalPolicy"})
    answer = await desk.mutate(review)
    assert not answer["allowed"]
    assert answer["status"]["message"] == "Daypass decides nothing about approvalpolicies here"


async def test_t49_six_mebibytes_are_judged(desk: Desk) -> None:
    padding = "x" * (3 * 1024 * 1024 - 2000)
    big = a_manifest(reason=padding)
    response = await desk.mutate(a_review("UPDATE", new=big, old=big))
    assert response["allowed"]


async def test_t49_more_is_refused_before_it_is_read(desk: Desk) -> None:
    code, body = await desk.post(MUTATING, b" " * (MAX_BODY + 1))
    assert code == 413
    assert json.loads(body)["message"] == f"the admission review is larger than {MAX_BODY} bytes"
    await _is_up(desk)


async def test_t49_more_in_chunks_is_refused_while_it_is_read(desk: Desk) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield b" " * (1024 * 1024)

    try:
        async with desk.client.post(f"https://{desk.address}{MUTATING}", data=chunks()) as answer:
            assert answer.status == 413
    except aiohttp.ClientConnectionError:
        pass  # closed while we were still sending: refused as well
    await _is_up(desk)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "the body is not JSON"),
        (b"{", "the body is not JSON"),
        (b"null", "AdmissionReview:"),
        (b"[]", "AdmissionReview:"),
        (b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}', "request: Field required"),
        (b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1","request":{}}', "apiVersion:"),
        (b"\xff\xfe{}", "the body is not UTF-8 at byte 0"),
        (b'{"a": NaN}', "the body has NaN, which is not JSON"),
        (b'{"a": 1, "a": 2}', "the body has the key 'a' twice in one object"),
        (b'{"a": ' + b"9" * 5000 + b"}", "the body is not JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "the body is nested too deeply"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "the body is nested too deeply"),
    ],
    ids=lambda value: str(value[:24]) if isinstance(value, bytes) else "",
)
async def test_t49_what_is_no_review_is_refused_with_a_reason(desk: Desk, body: bytes, told: str) -> None:
    code, answer = await desk.post(MUTATING, body)
    assert code == 400
    status = json.loads(answer)
    assert status["kind"] == "Status"
    assert status["message"].startswith("the admission review can't be read: ")
    assert told in status["message"]
    await _is_up(desk)


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (b'{"spec":{"reason":"a","reason":"b"}}', "the body has the key 'reason' twice in one object"),
        (b'{"spec":' + b'{"a":' * 5000 + b"1" + b"}" * 5001, "the body is nested too deeply"),
        (b'{"spec":"\xc3\x28"}', "the body is not UTF-8 at byte"),
    ],
    ids=["duplicate key", "deep", "not UTF-8"],
)
async def test_t49_a_person_reads_why_their_object_is_refused(desk: Desk, part: bytes, told: str) -> None:
    body = json.dumps(a_review("CREATE", new=None)).encode().replace(b'"object": null', b'"object": ' + part)
    code, answer = await desk.post(MUTATING, body)
    assert code == 200
    response = json.loads(answer)["response"]
    assert response["uid"] == UID
    assert not response["allowed"]
    assert told in response["status"]["message"]
    await _is_up(desk)


async def test_t49_lone_surrogates_change_nothing(desk: Desk) -> None:
    body = json.dumps(a_review("CREATE", new=a_manifest(reason="\ud800"))).encode()
    code, answer = await desk.post(MUTATING, body)
    assert code == 200
    assert json.loads(answer)["response"]["allowed"]  # stamped; the schema judges the text
    await _is_up(desk)


async def test_t11_an_error_is_a_refusal(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError

    monkeypatch.setattr(desk.cluster, "now", fail)
    response = await desk.validate(a_review("CREATE", new=a_manifest(requester={"username": "alice"})))
    assert not response["allowed"]
    assert response["status"]["message"] == "Daypass could not decide on this call; its log says why"


async def test_an_unknown_resource_is_refused(desk: Desk) -> None:
    response = await desk.validate(a_review("CREATE", "secrets"))
    assert response["status"]["message"] == "Daypass decides nothing about secrets here"


async def test_another_groups_resource_of_our_name_is_refused(desk: Desk) -> None:
    review = a_review("CREATE", new=a_manifest())
    review["request"]["resource"]["group"] = "example.com"
    assert not (await desk.mutate(review))["allowed"]


async def test_a_connection_is_used_again(desk: Desk) -> None:
    for _ in range(3):
        await _is_up(desk)
    connector = desk.client.connector
    assert connector is not None
    assert sum(len(each) for each in connector._conns.values()) == 1


async def test_t49_many_at_once_are_all_answered(desk: Desk) -> None:
    answers = await asyncio.gather(*(desk.mutate(GOOD) for _ in range(200)))
    assert all(answer["allowed"] for answer in answers)


async def test_reviews_are_counted_by_decision(desk: Desk) -> None:
    name, labels = "daypass_admission_reviews_total", {"resource": "accessrequests", "decision": "Stamped"}
    before = REGISTRY.get_sample_value(name, labels) or 0
    await desk.mutate(GOOD)
    assert REGISTRY.get_sample_value(name, labels) == before + 1


async def test_draining_answers_and_closes_the_connection(desk: Desk) -> None:
    desk.listener.draining = True
    async with desk.client.post(f"https://{desk.address}{MUTATING}", json=GOOD) as answer:
        assert answer.status == 200
        assert answer.headers["Connection"] == "close"


async def test_plain_http_gets_no_answer(desk: Desk) -> None:
    with pytest.raises(aiohttp.ClientError):
        await desk.client.post(f"http://{desk.address}{MUTATING}", json=GOOD)


async def test_old_tls_is_refused(desk: Desk, authority: trustme.CA) -> None:
    context = trusting(authority)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await raw_request(desk.address, context, b"")


def trusting_any() -> ssl.SSLContext:
    """A stranger, who does not care who answers."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
