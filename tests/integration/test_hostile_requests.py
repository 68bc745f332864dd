"""Hostile requests against a gateway that serves: each gets an answer that is its sender's fault, and nothing stops."""

import asyncio
import gzip
import json
import time
import zlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.gateways import NOTIFICATION, Gateway, running

_SINGLE, _BATCH = "/v1/notifications", "/v1/notifications/batch"
_MIB = 1 << 20


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway, which must be as ready after the test as it was before."""
    async with running(tmp_path) as serving:
        yield serving
        assert (await serving.client.get("/readyz")).status_code == 200
        await serving.ended((await serving.submit())["id"])


def with_data(value: str) -> bytes:
    """Return a notification whose data have a value, which is JSON as it is to be sent."""
    document = {**NOTIFICATION, "data": {**NOTIFICATION["data"], "x": "@"}}
    return json.dumps(document).replace('"@"', value).encode()


_GOOD = json.dumps(NOTIFICATION).encode()
_BODIES: Mapping[str, tuple[bytes, int]] = {
    "nothing": (b"", 400),
    "deep lists": (b"[" * 200_000, 400),
    "deep lists, closed": (b"[" * 100_000 + b"]" * 100_000, 400),
    "deep objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400),
    "deep data": (with_data("[" * 5000 + "]" * 5000), 400),
    "masses of lists": (with_data("[" + ",".join(["[]"] * 300_000) + "]"), 422),
    "masses of keys": (with_data("{" + ",".join(f'"k{n}":0' for n in range(60_000)) + "}"), 422),
    "one long string": (with_data('"' + "x" * (_MIB - 1000) + '"'), 422),
    "more than allowed": (with_data('"' + "x" * (_MIB + 1000) + '"'), 413),
    "colliding keys": (with_data("{" + ",".join(f'"{2**61 * n}":0' for n in range(8000)) + "}"), 202),
    "a number of 5,000 digits": (with_data("9" * 5000), 422),
    "a number beyond a double": (with_data("1e999999999"), 422),
    "a negative one": (with_data("-1e999999999"), 422),
    "a fraction of 5,000 digits": (with_data("0." + "3" * 5000), 202),
    "an exponent of 5,000 digits": (with_data("1e-" + "9" * 5000), 202),
    "a large integer": (with_data(str(2**64)), 202),
    "minus zero": (with_data("-0"), 202),
    "not a number": (with_data("NaN"), 400),
    "infinity": (with_data("-Infinity"), 400),
    "hexadecimal": (with_data("0x10"), 400),
    "leading zeros": (with_data("007"), 400),
    "a comment": (with_data("1/**/"), 400),
    "two values": (_GOOD + _GOOD, 400),
    "cut off": (_GOOD[:-5], 400),
    "a byte order mark": (b"\xef\xbb\xbf" + _GOOD, 400),
    "utf-16": (_GOOD.decode().encode("utf-16"), 400),
    "latin-1": (with_data('"\xe9"').decode().encode("latin-1"), 400),
    "overlong utf-8": (with_data('"@"').replace(b"@", b"\xc0\xaf"), 400),
    "surrogates in utf-8": (with_data('"@"').replace(b"@", b"\xed\xa0\x80"), 400),
    "nul bytes": (b"\0" * 1000, 400),
    "a raw nul in text": (with_data('"a\0b"'), 400),
    "an escaped nul": (with_data(r'"a\u0000b"'), 422),
    "half a surrogate pair": (with_data(r'"\udfff"'), 422),
    "the same key twice": (_GOOD[:-1] + b',"category":"a","category":"b"}', 202),
    "the same key twice, one wrong": (_GOOD[:-1] + b',"lane":"high","lane":"nowhere"}', 422),
    "a list": (b"[]", 422),
    "a string": (b'"x"', 422),
    "null": (b"null", 422),
    "keys of objects' own": (_GOOD[:-1] + b',"__proto__":{},"constructor":{},"__class__":{}}', 422),
}


async def test_hostile_json_is_told_what_is_wrong_with_it(gateway: Gateway) -> None:
    wrong = []
    for name, (body, expected) in _BODIES.items():
        started = time.perf_counter()
        response = await gateway.client.post(_SINGLE, content=body)
        seconds = time.perf_counter() - started
        problem = response.status_code == 202 or response.headers["content-type"] == "application/problem+json"
        if response.status_code != expected or not problem or seconds > 20:
            wrong.append((name, response.status_code, response.text[:200], seconds))

    assert wrong == []


async def test_hostile_batches_are_told_what_is_wrong_with_them(gateway: Gateway) -> None:
    bodies: Mapping[str, tuple[Any, int]] = {
        "no list": ({"notifications": {}}, 422),
        "empty": ({"notifications": []}, 422),
        "too many": ({"notifications": [NOTIFICATION] * 1001}, 422),
        "something else": ({"notifications": [NOTIFICATION], "x": 1}, 422),
        "no objects": ({"notifications": [1, None, "x", [], True, {}]}, 207),
        "keys that are no text": (
            {"notifications": [{**NOTIFICATION, "idempotency_key": 1}, {**NOTIFICATION, "idempotency_key": None}]},
            207,
        ),
        "keys that are too long": ({"notifications": [{**NOTIFICATION, "idempotency_key": "k" * 100_000}]}, 207),
        "one too large among good ones": (
            {"notifications": [NOTIFICATION, {**NOTIFICATION, "data": {"order": "1", "items": ["x" * 300_000]}}]},
            207,
        ),
    }
    for name, (document, expected) in bodies.items():
        response = await gateway.client.post(_BATCH, json=document)
        assert (name, response.status_code) == (name, expected)
        assert response.status_code != 207 or {each["status"] for each in response.json()["results"]} <= {202, 422}


_HEADERS: Mapping[str, tuple[Mapping[str, str | bytes], bytes, int]] = {
    "gzip": ({"Content-Encoding": "gzip"}, gzip.compress(_GOOD), 415),
    "a gzip bomb": ({"Content-Encoding": "gzip"}, gzip.compress(bytes(64 * _MIB)), 415),
    "deflate": ({"Content-Encoding": "deflate"}, zlib.compress(_GOOD), 415),
    "two encodings": ({"Content-Encoding": "gzip, identity"}, gzip.compress(_GOOD), 415),
    "an unknown encoding": ({"Content-Encoding": "x-nonsense"}, _GOOD, 415),
    "identity": ({"Content-Encoding": "identity"}, _GOOD, 202),
    "compressed, and silent about it": ({}, gzip.compress(_GOOD), 400),
    "a form": ({"Content-Type": "application/x-www-form-urlencoded"}, b"recipient=ada", 400),
    "xml": ({"Content-Type": "text/xml"}, b'<!DOCTYPE a [<!ENTITY b "b">]><a>&b;</a>', 400),
    "multipart": ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x\r\n\r\n\r\n--x--", 400),
    "another charset": ({"Content-Type": "application/json; charset=utf-7"}, b"+AHsAfQ-", 400),
    "a key of 255": ({"Idempotency-Key": "k" * 255}, _GOOD, 202),
    "a key of 256": ({"Idempotency-Key": "k" * 256}, _GOOD, 422),
    "a key of 30,000": ({"Idempotency-Key": "k" * 30_000}, _GOOD, 422),
    "an empty key": ({"Idempotency-Key": ""}, _GOOD, 422),
    "a key outside ascii": ({"Idempotency-Key": "caf\xe9 \u202e".encode()}, _GOOD, 202),
    "no scheme": ({"Authorization": "tcs_x"}, _GOOD, 401),
    "an endless key": ({"Authorization": "Bearer tcs_" + "x" * 30_000}, _GOOD, 401),
    "a key outside ascii to enter": ({"Authorization": "Bearer \u202e".encode()}, _GOOD, 401),
}


async def test_hostile_headers_are_told_what_is_wrong_with_them(gateway: Gateway) -> None:
    wrong = []
    for name, (headers, body, expected) in _HEADERS.items():
        response = await gateway.client.post(_SINGLE, content=body, headers=headers)  # type: ignore[arg-type]
        problem = response.status_code == 202 or response.headers["content-type"] == "application/problem+json"
        if response.status_code != expected or not problem:
            wrong.append((name, response.status_code, response.text[:200]))

    assert wrong == []


_JUNK = (
    "x",
    "ntf_",
    "ntf_" + "z" * 26,
    "ntf_" + "0" * 26,
    "dlt_" + "z" * 26,
    "dlt_" + "0" * 26,
    "key_" + "0" * 26,
    "-1",
    "null",
    "..",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "%00",
    "%0d%0aSet-Cookie:x",
    "%ff%fe",
    "%E2%80%AE",
    "%ED%A0%80",
    "'%20OR%201=1--",
    "*",
    "%25",
    "a" * 20_000,
)
_PATHS = (
    ("GET", "/v1/notifications/{}"),
    ("GET", "/v1/dlq/{}"),
    ("POST", "/v1/dlq/{}/replay"),
    ("POST", "/v1/dlq/{}/discard"),
    ("DELETE", "/v1/keys/{}"),
    ("GET", "/v1/notifications?cursor={}"),
    ("GET", "/v1/dlq?cursor={}"),
    ("GET", "/v1/notifications?limit={}"),
    ("GET", "/v1/notifications?from={}"),
    ("GET", "/v1/notifications?state={}"),
    ("GET", "/v1/dlq?state={}"),
    ("GET", "/v1/notifications?{}=1"),
    ("GET", "/v1/dlq?{}=1"),
    ("GET", "/v1/notifications?recipient={}"),
    ("GET", "/v1/notifications?metadata.{0}={0}"),
    ("GET", "/{}"),
    ("PATCH", "/v1/notifications/{}"),
    ("BREW", "/v1/notifications/{}"),
)


async def test_junk_in_paths_and_queries_is_never_the_gateways_fault(gateway: Gateway) -> None:
    async def wrong(method: str, path: str) -> str | None:
        async with room:
            response = await gateway.client.request(method, path)
        if response.status_code < 400 or (response.status_code < 500 and response.text):
            return None
        return f"{method} {path[:80]}: {response.status_code} {response.text[:200]}"

    room = asyncio.Semaphore(30)
    tries = [wrong(method, path.format(junk)) for method, path in _PATHS for junk in _JUNK]

    assert [found for found in await asyncio.gather(*tries) if found] == []


_HEAD = b"POST /v1/notifications HTTP/1.1\r\nHost: tocsin\r\nAuthorization: Bearer %b\r\n"
_RAW: Mapping[str, bytes] = {
    "a negative length": b"Content-Length: -1\r\n\r\n{}",
    "a length that is no number": b"Content-Length: ten\r\n\r\n{}",
    "a length of many digits": b"Content-Length: " + b"9" * 400 + b"\r\n\r\n{}",
    "an empty length": b"Content-Length:\r\n\r\n{}",
    "two lengths": b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    "a length and chunks": b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "an unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a chunk of no length": b"Transfer-Encoding: chunked\r\n\r\n\r\n{}\r\n0\r\n\r\n",
    "a chunk that is too long": b"Transfer-Encoding: chunked\r\n\r\n" + b"F" * 40 + b"\r\n{}\r\n0\r\n\r\n",
    "a chunk that lies": b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}{}{}\r\n0\r\n\r\n",
    "chunks without end": b"Transfer-Encoding: chunked\r\n\r\n" + (b"1000\r\n" + b"x" * 4096 + b"\r\n") * 400,
    "a header without a colon": b"Nonsense\r\nContent-Length: 2\r\n\r\n{}",
    "a header with a space": b"Content-Length : 2\r\n\r\n{}",
    "a nul in a header": b"X-A: a\0b\r\nContent-Length: 2\r\n\r\n{}",
    "bare line feeds": b"Content-Length: 2\n\n{}",
    "headers without end": b"X-A: " + b"a" * 200_000,
    "many headers": b"X-A: a\r\n" * 20_000 + b"Content-Length: 2\r\n\r\n{}",
    "less than was promised": b"Content-Length: 1000\r\n\r\n{}",
}


async def test_broken_http_is_answered_or_hung_up_on(gateway: Gateway) -> None:
    url = urlsplit(str(gateway.client.base_url))
    wrong = []
    for name, rest in _RAW.items():
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        answer = b""
        try:
            writer.write(_HEAD % gateway.key.encode() + rest)
            writer.write_eof()
            answer = await asyncio.wait_for(reader.read(), timeout=60)
        except ConnectionError:
            pass  # hung up on, while still sending
        finally:
            writer.close()
        if answer and not answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")):
            wrong.append((name, answer[:300]))

    assert wrong == []
