"""Images and PDFs beside an output: what is taken, how it is bound, who gets to see it, and as what."""

import base64
import hashlib
import json
from dataclasses import replace
from email.message import EmailMessage
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest

from flow_hitl.audit.bound import bound_digest
from flow_hitl.bootstrap import current
from flow_hitl.requests.attachments import MOST_BYTES
from flow_hitl.requests.request import Attachment, MediaType
from flow_hitl.requests.store.attachment_store import S3Attachments
from infra.local.hitl_fixture import Answer, Hitl
from tests.support.asserts import EMIT, NEW, assert_invalid, assert_problem, callback, everything_written
from tests.support.examples import CONTENT
from tests.support.receiver import receiving

GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\1\1\0\0\1\0\1\0\0\xff\xc0\0\x0b\x08\0\1\0\1\1\1\x11\0\xff\xd9"
WEBP = b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0" + b"\0" * 20
PDF = b"%PDF-1.7\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
EACH = [
    ("a.gif", "image/gif", GIF),
    ("a.png", "image/png", PNG),
    ("a.jpeg", "image/jpeg", JPEG),
    ("a.webp", "image/webp", WEBP),
    ("a.pdf", "application/pdf", PDF),
]
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'


def wish(name: str = "photo.gif", media_type: str = "image/gif", content: bytes = GIF) -> dict[str, str]:
    return {"name": name, "media_type": media_type, "content": base64.b64encode(content).decode()}


def fetched(hitl: Hitl, url: str) -> Answer:
    parts = urlsplit(url)
    return hitl.api("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path, key=None)


def content_of(answer: Answer) -> bytes:
    return base64.b64decode(answer.text, validate=True)


def review_link(hitl: Hitl) -> str:
    return (
        next(word for word in hitl.inbox[-1].text.split() if "/review/" in word and "?" not in word)
        .strip("<>")
        .partition("#")[0]
    )


def keys_in_bucket(hitl: Hitl) -> list[str]:
    found = hitl._clients["s3"].list_objects_v2(Bucket="content").get("Contents", [])
    return [one["Key"] for one in found]


@pytest.mark.parametrize(("name", "media_type", "content"), EACH)
def test_an_attachment_is_delivered_as_it_was_sent(hitl: Hitl, name: str, media_type: str, content: bytes) -> None:
    request = hitl.ask(attachments=[wish(name, media_type, content)])
    (shown,) = request.now()["attachments"]
    sha256 = hashlib.sha256(content).hexdigest()
    assert {**shown, "url": None} == {
        "name": name,
        "media_type": media_type,
        "size": len(content),
        "sha256": sha256,
        "url": None,
    }
    assert keys_in_bucket(hitl) == [f"attachments/{request.id}/{sha256}"]
    answer = fetched(hitl, shown["url"])
    assert (answer.status, content_of(answer)) == (200, content)
    assert answer.headers["Content-Type"] == media_type
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    how = "attachment" if media_type == "application/pdf" else "inline"
    assert answer.headers["Content-Disposition"].startswith(f"{how}; ")
    assert answer.headers["Content-Disposition"].endswith(f"filename*=UTF-8''{name}")


def test_ten_are_taken_and_the_object_has_them_wherever_it_is_shown(hitl: Hitl) -> None:
    with receiving() as flow:
        request = hitl.ask(emit=EMIT, attachments=[wish(*one) for one in EACH * 2], resume_url=flow.url)
        listed = hitl.api("GET", "/v1/requests").json["requests"][0]
        answered = callback(hitl, request).json["request"]
        told = json.loads(flow.received[0].body)["request"]
    decided = hitl.api("GET", "/v1/decisions").json["decisions"][0]
    for shown in (request.now(), listed, answered, told, decided):
        assert [one["name"] for one in shown["attachments"]] == [name for name, _, _ in EACH * 2]
        assert content_of(fetched(hitl, shown["attachments"][4]["url"])) == PDF


def test_a_request_without_attachments_shows_none_and_stores_nothing_more(hitl: Hitl) -> None:
    assert hitl.ask().now()["attachments"] == []
    assert keys_in_bucket(hitl) == []


# --- what is not taken


@pytest.mark.parametrize(
    ("media_type", "content", "field"),
    [
        ("image/png", SVG, "content"),
        ("image/svg+xml", SVG, "media_type"),
        ("text/html", b"<script>alert(1)</script>", "media_type"),
        ("image/gif", b"<!doctype html><script>alert(1)</script>", "content"),
        ("image/png", PDF, "media_type"),
        ("application/pdf", PNG, "media_type"),
        # PDF readers would find the header further on; browsers would find the script.
        ("application/pdf", b"<script>alert(1)</script>" + PDF, "content"),
        ("application/pdf", b"\n" + PDF, "content"),
        ("application/pdf", b"%PDF-evil", "content"),
        ("image/gif", b"GIF89a", "content"),
        ("image/webp", b"RIFF\0\0\0\0WAVEfmt ", "content"),
        ("image/png", b"\x89PNG\r\n\x1a\n<script>alert(1)</script>", "content"),
        ("image/jpeg", b"\xff\xd8", "content"),
        ("image/gif", b"", "content"),
        ("image/gif", b"MZ\x90\0" + b"\0" * 60, "content"),
        ("image/gif", b"PK\x03\x04" + b"\0" * 60, "content"),
    ],
)
def test_anything_but_these_images_and_pdf_is_refused(hitl: Hitl, media_type: str, content: bytes, field: str) -> None:
    body = {**NEW, "attachments": [wish(), wish("x.png", media_type, content)]}
    assert_invalid(hitl.api("POST", "/v1/requests", body), f"/attachments/1/{field}")
    assert everything_written(hitl)["content"] == 0


@pytest.mark.parametrize("content", ["§", "R0lGODlh", "R0lG\n" + base64.b64encode(GIF[3:]).decode(), "===", ""])
def test_wrong_base64_is_refused(hitl: Hitl, content: str) -> None:
    body = {**NEW, "attachments": [{**wish(), "content": content}]}
    assert_invalid(hitl.api("POST", "/v1/requests", body), "/attachments/0/content")


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a\nb.gif",
        "a\r\nSet-Cookie: x=1.gif",
        "../a.gif",
        "/etc/passwd",
        "a\\b.gif",
        "..",
        "a\u202efig.gif",
        "a\0.gif",
    ],
)
def test_a_name_is_one_line_and_no_path(hitl: Hitl, name: str) -> None:
    body = {**NEW, "attachments": [wish(name)]}
    assert_invalid(hitl.api("POST", "/v1/requests", body), "/attachments/0/name")


def test_no_more_than_ten(hitl: Hitl) -> None:
    body = {**NEW, "attachments": [wish()] * 11}
    assert_invalid(hitl.api("POST", "/v1/requests", body), "/attachments")


def test_three_mebibytes_together_and_not_a_byte_more(hitl: Hitl) -> None:
    half = MOST_BYTES // 2
    whole = [wish(content=GIF + b"\0" * (half - len(GIF))), wish(content=GIF + b"\1" * (half - len(GIF)))]
    hitl.ask(output="x" * 1_000_000, attachments=whole)
    more = [whole[0], wish(content=GIF + b"\1" * (half - len(GIF) + 1))]
    assert_invalid(hitl.api("POST", "/v1/requests", {**NEW, "attachments": more}), "/attachments")


@pytest.mark.parametrize("attachments", [[], [wish()]])
def test_the_rest_of_a_body_is_no_larger_for_having_attachments(hitl: Hitl, attachments: list[Any]) -> None:
    body = {**NEW, "output": "x" * 1024 * 1024, "attachments": attachments}
    assert_problem(hitl.api("POST", "/v1/requests", body), 413, "too-large")
    without = {**NEW, "output": "x" * 1024 * 1024}
    assert_problem(hitl.api("POST", "/v1/requests", without), 413, "too-large")


# --- what is taken and still hostile


def test_a_script_that_is_an_image_too_is_only_ever_an_image(hitl: Hitl) -> None:
    content = b"GIF89a/*\0\0\0\0\0*/=1;alert(document.domain)//<script>alert(1)</script>"
    (shown,) = hitl.ask(attachments=[wish("page.html", content=content)]).now()["attachments"]
    answer = fetched(hitl, shown["url"])
    assert answer.headers["Content-Type"] == "image/gif"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    # Saved, it opens as an image, whatever its sender called it.
    assert answer.headers["Content-Disposition"].endswith("page.html.gif")


@pytest.mark.parametrize(
    "name", ['a".gif', "a';\u00e4.gif", "a%0d%0aX: 1.gif", "a; filename=x.html", "Rechnung 2026 €.gif"]
)
def test_a_name_is_never_more_than_a_name(hitl: Hitl, name: str) -> None:
    (shown,) = hitl.ask(attachments=[wish(name)]).now()["attachments"]
    header = fetched(hitl, shown["url"]).headers["Content-Disposition"]
    assert header.isascii()
    assert header.isprintable()
    parsed = EmailMessage()
    parsed["Content-Disposition"] = header
    assert parsed.get_filename() == "attachment.gif"
    assert header.count(";") == 2
    assert header.count('"') == 2


# --- who gets to see it


def test_a_link_works_for_an_hour_and_for_its_attachment_alone(hitl: Hitl) -> None:
    request = hitl.ask(attachments=[wish()])
    url = request.now()["attachments"][0]["url"]
    assert_problem(fetched(hitl, url[:-2] + "AA"), 401, "unauthorized")
    assert_problem(fetched(hitl, request.callback_url.replace("callbacks", "attachments")), 401, "unauthorized")
    token = url.rpartition("/")[2]
    assert_problem(hitl.api("POST", f"/v1/callbacks/{token}", {"feedback": "approved"}, key=None), 401, "unauthorized")
    hitl.advance(minutes=59)
    assert fetched(hitl, url).status == 200
    hitl.advance(minutes=2)
    assert_problem(fetched(hitl, url), 410, "expired")
    assert fetched(hitl, request.now()["attachments"][0]["url"]).status == 200


# --- what binds it


def test_the_digest_of_the_content_binds_attachments(hitl: Hitl) -> None:
    one = Attachment("a.gif", MediaType.GIF, len(GIF), hashlib.sha256(GIF).hexdigest())
    digests = {
        bound_digest(CONTENT),
        bound_digest(replace(CONTENT, attachments=(one,))),
        bound_digest(replace(CONTENT, attachments=(replace(one, sha256="0" * 64),))),
        bound_digest(replace(CONTENT, attachments=(replace(one, name="b.gif"),))),
    }
    assert len(digests) == 4
    request = hitl.ask(attachments=[wish()])
    created = request.timeline[0]
    content = current()._requests.load(request.id).content
    assert created["data"]["kept_sha256"] == bound_digest(content)


def test_what_was_changed_in_the_bucket_is_not_shown(hitl: Hitl) -> None:
    request = hitl.ask(attachments=[wish()])
    (key,) = keys_in_bucket(hitl)
    hitl._clients["s3"].put_object(Bucket="content", Key=key, Body=PNG)
    assert_problem(fetched(hitl, request.now()["attachments"][0]["url"]), 500, "internal")


def test_webhooks_and_receipts_name_attachments_by_hash_and_without_a_link(hitl: Hitl) -> None:
    from flow_hitl.requests.request import request_shown

    request = hitl.ask(attachments=[wish()])
    shown = request_shown(current()._requests.load(request.id))
    sha256 = hashlib.sha256(GIF).hexdigest()
    assert shown["attachments"] == [
        {"name": "photo.gif", "media_type": "image/gif", "size": len(GIF), "sha256": sha256}
    ]
    assert "attachments" not in request_shown(current()._requests.load(hitl.ask().id))


# --- nothing half-done


def test_storage_that_fails_in_the_middle_leaves_no_request(hitl: Hitl) -> None:
    body = {
        **NEW,
        "id": "0192f0c1-7e11-7abc-8def-0123456789ab",
        "attachments": [wish(), wish("b.png", "image/png", PNG)],
    }
    before = everything_written(hitl)
    real, calls = S3Attachments.keep, []

    def fails_after_one(self: S3Attachments, request_id: str, files: Any) -> None:
        calls.append(request_id)
        real(self, request_id, files[:1])
        raise OSError("S3 is away")

    with patch.object(S3Attachments, "keep", fails_after_one):
        assert hitl.api("POST", "/v1/requests", body).status == 500
    assert len(calls) == 1
    assert everything_written(hitl) == {**before, "content": 1}
    assert_problem(hitl.api("GET", f"/v1/requests/{body['id']}"), 404, "not-found")
    answer = hitl.api("POST", "/v1/requests", body)
    assert answer.status == 201
    assert len(keys_in_bucket(hitl)) == 2
    for shown, content in zip(answer.json["request"]["attachments"], (GIF, PNG), strict=True):
        assert content_of(fetched(hitl, shown["url"])) == content


@pytest.mark.parametrize("own_id", [True, False])
def test_a_repeated_call_stores_nothing_again(hitl: Hitl, *, own_id: bool) -> None:
    body: dict[str, Any] = {**NEW, "attachments": [wish()]}
    headers = {} if own_id else {"idempotency-key": "again"}
    body |= {"id": "0192f0c1-7e11-7abc-8def-0123456789ab"} if own_id else {}
    first = hitl.api("POST", "/v1/requests", body, headers=headers)
    with patch.object(S3Attachments, "keep", side_effect=AssertionError):
        again = hitl.api("POST", "/v1/requests", body, headers=headers)
        other = {**body, "attachments": [wish("a.png", "image/png", PNG)]}
        assert_problem(hitl.api("POST", "/v1/requests", other, headers=headers), 422, "idempotency-mismatch")
    assert (first.status, again.status) == (201, 200)
    assert first.json["request"]["id"] == again.json["request"]["id"]
    assert len(keys_in_bucket(hitl)) == 1


# --- page and email


def test_the_pages_show_images_and_link_pdfs(hitl: Hitl) -> None:
    hostile = '"><script>alert(1)</script>.gif'.replace("/", "")
    request = hitl.ask(emit=EMIT, attachments=[wish(), wish(hostile), wish("invoice.pdf", "application/pdf", PDF)])
    page = hitl.browser().get(review_link(hitl))
    assert page.status == 200
    assert page.text.count("<img src=") == 2
    source = page.text.split('<img src="', 1)[1].partition('"')[0]
    assert content_of(hitl.api("GET", source, key=None)) == GIF
    assert "img-src 'self'" in page.headers["Content-Security-Policy"]
    assert "<script>alert" not in page.text
    assert "invoice.pdf</a>" in page.text
    assert "not scanned for malware" in page.text
    signed_in = hitl.signed_in().get(f"/d/{hitl.deployment_id}/requests/{request.id}")
    assert signed_in.text.count("<img src=") == 2
    hitl.ask(output="# Draft", attachments=[wish()])
    assert hitl.browser().get(review_link(hitl)).text.count("<img src=") == 1


def test_a_page_may_frame_the_pdfs_that_it_shows_and_nothing_else_may(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, attachments=[wish(), wish("invoice.pdf", "application/pdf", PDF)])
    pages = (
        hitl.browser().get(review_link(hitl)),
        hitl.signed_in().get(f"/d/{hitl.deployment_id}/requests/{request.id}"),
    )
    for page in pages:
        assert page.text.count("<iframe ") == 1
        assert page.headers["Content-Security-Policy"].endswith("; frame-src 'self'")
        source = page.text.split('<iframe class="pdf" src="', 1)[1].partition('"')[0].replace("&amp;", "&")
        framed = fetched(hitl, source)
        assert (framed.status, content_of(framed)) == (200, PDF)
        assert framed.headers["Content-Type"] == "application/pdf"
        assert framed.headers["X-Content-Type-Options"] == "nosniff"
        assert framed.headers["Content-Disposition"].startswith("inline; ")
        assert framed.headers["X-Frame-Options"] == "SAMEORIGIN"
        policy = framed.headers["Content-Security-Policy"].split("; ")
        assert {"default-src 'none'", "frame-ancestors 'self'", "sandbox"} <= set(policy)
    image, pdf = (one["url"] for one in request.now()["attachments"])
    for url in (image, f"{image}?embedded=yes", pdf, f"{pdf}?embedded=no"):
        alone = fetched(hitl, url)
        assert alone.headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in alone.headers["Content-Security-Policy"]
    assert fetched(hitl, pdf).headers["Content-Disposition"].startswith("attachment; ")


def test_a_page_without_pdfs_frames_nothing(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, attachments=[wish()])
    pages = (
        hitl.browser().get(review_link(hitl)),
        hitl.signed_in().get(f"/d/{hitl.deployment_id}/requests/{request.id}"),
    )
    for page in pages:
        assert "<iframe" not in page.text
        assert "frame-src" not in page.headers["Content-Security-Policy"]


def test_an_email_carries_small_images_and_links_the_rest(hitl: Hitl) -> None:
    large = GIF + b"\0" * 200 * 1024
    attachments = [wish("small.gif"), wish("large.gif", content=large), wish("invoice.pdf", "application/pdf", PDF)]
    hitl.ask("Pay it?", emit=EMIT, attachments=[*attachments, wish("twice.gif")])
    mail = hitl.inbox[-1]
    assert mail.message.get_content_type() == "multipart/related"
    images = [part for part in mail.message.walk() if part.get_content_maintype() == "image"]
    assert [part.get_payload(decode=True) for part in images] == [GIF]
    content_id = str(images[0]["Content-ID"]).strip("<>")
    assert mail.html.count(f'src="cid:{content_id}"') == 2
    assert mail.html.count("cid:") == 2
    assert "large.gif" in mail.html
    assert "#attachments" in mail.html
    assert "invoice.pdf" in mail.text
    assert "/v1/attachments/" not in mail.raw
    hitl.reply("approved")
    assert hitl.api("GET", "/v1/requests").json["requests"][0]["response"]["outcome"] == "approved"


def test_an_email_without_images_is_as_it_was(hitl: Hitl) -> None:
    hitl.ask(attachments=[wish("invoice.pdf", "application/pdf", PDF)])
    assert hitl.inbox[-1].message.get_content_type() == "multipart/alternative"


def test_an_email_waits_for_its_images(hitl: Hitl) -> None:
    with patch.object(S3Attachments, "read", side_effect=OSError("S3 is away")):
        request = hitl.ask(attachments=[wish()])
        assert hitl.inbox == []
    hitl.advance(minutes=5)
    assert len(hitl.inbox) == 1
    assert "notification_sent" in request.kinds


def _big(size: int, width: int, height: int) -> bytes:
    return width.to_bytes(size, "big") + height.to_bytes(size, "big")


def _little(size: int, width: int, height: int) -> bytes:
    return width.to_bytes(size, "little") + height.to_bytes(size, "little")


FRAME = b"\xff\xc2\0\x0b\x08"
BOMBS = [
    ("image/png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + _big(4, 50_000, 50_000)),
    ("image/gif", b"GIF89a" + _little(2, 60_000, 60_000) + b"\0" * 4),
    ("image/gif", b"GIF89a\1\0\1\0\x80\0\0" + b"\0" * 6 + b"!\xfe\1a\0,\0\0\0\0" + _little(2, 60_000, 60_000)),
    ("image/jpeg", b"\xff\xd8\xff\xe1\0\4ab" + FRAME + _big(2, 60_000, 60_000) + b"\1\1"),
    ("image/jpeg", b"\xff\xd8\xff\xe1\0\4ab junk \xff\xff" + FRAME + _big(2, 60_000, 60_000) + b"\1\1"),
    ("image/webp", b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + _little(3, 60_000, 60_000)),
    ("image/webp", b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f" + (0xFFFFFFF).to_bytes(4, "little")),
    ("image/webp", b"RIFF\x1a\0\0\0WEBPVP8 \x0d\0\0\0\0\0\0\x9d\1\x2a" + _little(2, 16_000, 16_000)),
]


@pytest.mark.parametrize(("media_type", "content"), BOMBS)
def test_a_small_image_that_becomes_huge_is_not_taken(hitl: Hitl, media_type: str, content: bytes) -> None:
    answer = hitl.api("POST", "/v1/requests", {**NEW, "attachments": [wish("a", media_type, content)]})
    assert "must not have more than 50,000,000 pixels" in answer.text
    assert answer.status == 422


@pytest.mark.parametrize(
    "content", [b"\xff\xd8\xff\xda" + b"\0" * 20, b"\xff\xd8\xff\xe0", b"\xff\xd8" + b"\xff\xe1\0\2" * 5_000]
)
def test_an_image_that_does_not_say_how_large_it_is_is_not_taken(hitl: Hitl, content: bytes) -> None:
    answer = hitl.api("POST", "/v1/requests", {**NEW, "attachments": [wish("a", "image/jpeg", content)]})
    assert "whose header says its width and height" in answer.text
