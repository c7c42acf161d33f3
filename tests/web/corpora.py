"""What clients send by accident and out of malice: requests to be told apart, half-told and told wrongly."""

import random
from collections.abc import Iterator, Mapping, Sequence

BODY = b'{"firstName": "Ada", "times": 3}'
HEAD = b"POST /api/greet HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
GREET = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
FAIL = b"GET /api/fail HTTP/1.1\r\nHost: x\r\n\r\n"
GET = b"GET /api/say HTTP/1.1\r\nHost: x\r\n\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
THINGS = b"GET /api/things/1 HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /api/say HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
"""Comes after the others, to see who takes it for what; and then nobody has to wait for the end of the connection."""


CASES = {
    "a plain request": (GREET,),
    "three of them at once": (GREET * 3,),
    "mixed with others": (GREET + THINGS + GREET + GET + THINGS + GREET,),
    "in many pieces": tuple(GREET[place : place + 7] for place in range(0, len(GREET), 7)),
    "byte by byte": tuple(GREET[place : place + 1] for place in range(len(GREET))),
    "health": (HEALTH,),
    "health, mixed with others": (HEALTH + GREET + HEALTH + THINGS + HEALTH,),
    "health, with a query": (HEALTH.replace(b"/healthz", b"/healthz?a=1&b=%20"),),
    "health, with a body": (HEALTH.replace(b"Host: x", b"Host: x\r\nContent-Length: 2") + b"{}",),
    "health, by head": (HEALTH.replace(b"GET", b"HEAD"),),
    "a bug": (FAIL,),
    "a bug, twice, and something else": (FAIL + FAIL + GREET,),
    "another method": (GREET.replace(b"POST", b"PUT"),),
    "a head request": (GET.replace(b"GET", b"HEAD"),),
    "another type": (GREET.replace(b"application/json", b"text/html"),),
    "text": (GREET.replace(b"application/json", b"text/plain"),),
    "no JSON": (GREET.replace(b"{", b"["),),
    "wrong members": (GREET.replace(b'"Ada"', b"12345"),),
    "no body": (HEAD + b"\r\n",),
    "an empty body": (HEAD + b"Content-Length: 0\r\n\r\n",),
    "too long a body": (HEAD + b"Content-Length: 16385\r\n\r\n" + b" " * 16385,),
    "the longest body": (HEAD + b"Content-Length: 16384\r\n\r\n" + BODY + b" " * (16384 - len(BODY)),),
    "an announced gigabyte": (HEAD + b"Content-Length: 1000000000\r\n\r\n",),
    "a query with a NUL": (GREET.replace(b"/api/greet", b"/api/greet?a=%00"),),
    "a query that is not UTF-8": (GREET.replace(b"/api/greet", b"/api/greet?a=%ff"),),
    "an origin": (GREET.replace(b"Host: x", b"Host: x\r\nOrigin: https://site.example"),),
    "a request id": (GREET.replace(b"Host: x", b"Host: x\r\nX-Request-ID: abc"),),
    "close": (GREET.replace(b"Host: x", b"Host: x\r\nConnection: close"),),
    "HTTP/1.0": (GREET.replace(b"HTTP/1.1", b"HTTP/1.0"),),
    "expect": (GREET.replace(b"Host: x", b"Host: x\r\nExpect: 100-continue"),),
    "chunked": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n20\r\n" + BODY + b"\r\n0\r\n\r\n",),
    "both lengths": (HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GREET,),
    "two lengths": (GREET.replace(b"Host: x", b"Host: x\r\nContent-Length: 4"),),
    "the same length twice": (GREET.replace(b"Host: x", b"Host: x\r\nContent-Length: %d" % len(BODY)),),
    "a folded line": (GREET.replace(b"Host: x", b"Host: x\r\nX: a\r\n b"),),
    "a bare LF": (GREET.replace(b"\r\n", b"\n"),),
    "a bare CR": (GREET.replace(b"Host: x", b"Host: x\rX: y"),),
    "a space before the colon": (GREET.replace(b"Content-Length:", b"Content-Length :"),),
    "no host": (GREET.replace(b"Host: x\r\n", b""),),
    "two hosts": (GREET.replace(b"Host: x", b"Host: x\r\nHost: y"),),
    "a NUL": (GREET.replace(b"Host: x", b"Host: x\r\nX: a\0b"),),
    "a tab in a field": (GREET.replace(b"Host: x", b"Host: x\r\nX: a\tb"),),
    "obs-text": (GREET.replace(b"Host: x", b"Host: x\r\nX: caf\xe9"),),
    "empty lines first": (b"\r\n\r\n" + GREET,),
    "an absolute target": (GREET.replace(b" /api", b" http://x/api"),),
    "a fragment": (GREET.replace(b"/api/greet", b"/api/greet#a"),),
    "a percent in the path": (GREET.replace(b"/api/greet", b"/api/%67reet"),),
    "a double slash": (GREET.replace(b"/api/greet", b"//api/greet"),),
    "HTTP/2 by force": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",),
    "garbage": (b"\x00\xff" * 20,),
    "garbage after a request": (GREET + b"\x00\xff" * 20,),
    "half a head": (GREET[:30],),
    "half a body": (GREET[:-5],),
    "half a method": (b"PO",),
    "nothing": (),
    "a long head": (GREET.replace(b"Host: x", b"Host: x\r\nX: " + b"a" * 17000),),
    "many fields": (GREET.replace(b"Host: x", b"Host: x" + b"\r\nX: a" * 200),),
}

FIELDS = (
    # How long is the body?
    b"Content-Length: 032", b"Content-Length: 32 ", b"Content-Length:\t32", b"Content-Length: 32\t",
    b"Content-Length: 32, 32", b"CONTENT-LENGTH: 5", b"Content_Length: 5", b"Content-Length\t: 5",
    b"Content-Length: -1",
    b"Content-Length: 0x20", b"Content-Length: 3 2", b"Content-Length: " + b"9" * 23, b"Content-Length: \xd9\xa3",
    b"Content-Length: 32;", b"Content-Length: '32'", b"Transfer-Encoding: identity",
    b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: xchunked", b"Transfer-Encoding:\x0bchunked",
    b"Transfer-Encoding: \0chunked", b" Transfer-Encoding: chunked", b"Transfer-Encoding\r\n: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x", b"X: y\r\n Transfer-Encoding: chunked",
    b"Transfer_Encoding: chunked",
    # Where does a field end?
    b"X:\r\n\r", b"\r", b"X: \r\r\nY: z", b"X: \n\r\nY: z", b"X: a\x7f", b"X: \x01", b"X:\0", b"X\0: y", b"\0X: y",
    b"X\xe9: y", b":", b": y", b"X :y", b"X: y\x0c", b"X(: y", b'"X": y', b"X" * 64 + b": y", b"X" * 65 + b": y", b"X:",
    b"X: ", b"X:   ", b"X: a:b", b"X:a",
    # What becomes of the connection?
    b"Connection:", b"Connection: ,", b"Connection: keep-alive, keep-alive", b"Connection: KEEP-ALIVE ",
    b"Connection: close, keep-alive", b"Connection: x", b"Connection: upgrade\r\nUpgrade: websocket",
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
    b"Connection: content-length", b"Connection: transfer-encoding", b"Keep-Alive: timeout=5",
    b"Proxy-Connection: close", b"Expect:", b"Expect: 100-Continue", b"Expect: 200-ok", b"TE: chunked", b"Trailer: X",
    b"Upgrade: x",
    # What is the answer to carry?
    b"Host: x", b"Host:", b"host: y", b"Content-Type: text/html", b"Content-Type: application/json",
    b"Authorization: Bearer a", b"Origin: *", b"Origin: null", b"Origin: a\r\nOrigin: b",
    b"X-Request-ID: a\r\nX-Request-ID: b", b"X-Request-ID: " + b"a" * 65, b"X-Request-ID: a b", b"X-Request-ID: ",
    b"X-Request-ID: a%0d%0aX: y", b"Content-Encoding: gzip", b"Content-Encoding: identity", b"Content-Encoding:",
    b"Range: bytes=0-1", b"If-Match: *", b"X-HTTP-Method-Override: DELETE", b"Cookie: a=b\r\nCookie: c=d",
    b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: ::1", b'Accept: "\\',
)  # fmt: skip
"""Lines between others."""

TARGETS = (
    b"/api/say?", b"/api/say??", b"/api/say?a=b?c=d", b"/api/say?a=%", b"/api/say?a=%zz", b"/api/say?a=%C0%80",
    b'/api/say?a="<>', b"/api/say?a=[]{}|\\^`", b"/api/say?a#b", b"/api/say#", b"/api/say/", b"/api//say",
    b"/api/./say",
    b"/api/../api/say", b"/api/say;x=1", b"/api/say%20", b"/api/say%00", b"/api/SAY", b"/api/say\\", b"//x/api/say",
    b"http://x/api/say", b"http://x:y/api/say", b"https://[::1/api/say", b"*", b"api/say", b"?", b"/?",
    b"/api/say?" + b"a" * 9000, b"/api/say?" + b"a=1&" * 150, b"/api/say?a\tb", b"/api/say?a b", b"/api/say?\x7f",
    b"/api/say?\xe9", b"/api/say\xe9", b"x:80", b"/%61pi/say", b"/api/say?a=1;b=2", b"/api/say?&&&", b"/api/say?=",
    b"/api/say?a=%ED%A0%80",
)  # fmt: skip
METHODS = (
    b"get", b"GET\t", b" GET", b"GET ", b"G", b"\0GET", b"GE\xc8T", b"HEAD", b"OPTIONS", b"TRACE", b"CONNECT", b"PRI",
    b"PUT", b"M-SEARCH",
)  # fmt: skip
VERSIONS = (
    b"HTTP/1.1 ", b" HTTP/1.1", b"HTTP/1.2", b"HTTP/1.01", b"HTTP/11", b"HTTP/1", b"http/1.1", b"HTTP/3.0",
    b"HTTP/1.1\t", b"HTTP/1.1\0", b"", b"HTTPS/1.1", b"HTTP/1.1 x",
)  # fmt: skip
BODIES = {
    "a body that is longer than it says": GREET.replace(b"th: %d" % len(BODY), b"th: 5"),
    "a body that takes in the next request": GREET.replace(b"th: %d" % len(BODY), b"th: %d" % (len(BODY) + len(LAST))),
    "an empty line between": GET + b"\r\n" + GET,
    "two empty lines between": GET + b"\r\n\r\n" + GET,
    "a bare LF between": GET + b"\n" + GET,
    "an empty line after a body": GREET + b"\r\n" + GREET,
    "a request in the body of one that has none": GET.replace(
        b"\r\n\r\n", b"\r\nContent-Length: %d\r\n\r\n" % len(FAIL)
    )
    + FAIL,
    "chunks and a length": HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + FAIL,
    "an extension of a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n20;a=b\r\n" + BODY + b"\r\n0\r\nX: y\r\n\r\n",
    "a chunk of no length": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x20\r\n" + BODY + b"\r\n0\r\n\r\n",
    "two hundred at once": GET * 100 + GREET * 50 + THINGS + GET * 50,
    "sixty in turns": (GET + THINGS) * 30,
}
"""Where does a request end?"""


def variations() -> Mapping[str, Sequence[bytes]]:
    """Each of these in a request that is good but for that, with another one behind it."""
    return {name: (request + LAST,) for name, request in _variations()}


def _variations() -> Iterator[tuple[str, bytes]]:
    for field in FIELDS:
        for request in (GREET, GET):
            yield f"{field!r} in {request[:4]!r}", request.replace(b"Host: x", b"Host: x\r\n" + field)
    for target in TARGETS:
        yield f"{target!r}", GET.replace(b"/api/say", target)
        yield f"head of {target!r}", GET.replace(b"/api/say", target).replace(b"GET", b"HEAD")
    for method in METHODS:
        yield f"{method!r}", GET.replace(b"GET", method)
    for version in VERSIONS:
        yield f"{version!r}", GET.replace(b"HTTP/1.1", version)
    yield from BODIES.items()


SNIPPETS = (
    b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"\0", b"\xff", b"0", b"9", b"Content-Length: 3\r\n", b"HTTP/1.0",
    b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", b"/", b"?", b"%", b"GET ",
)  # fmt: skip


def mangled(chance: random.Random) -> list[bytes]:
    """Some requests, damaged here and there, in some pieces."""
    data = bytearray(b"".join(chance.choices([GREET, THINGS, GET], k=chance.randint(1, 3))))
    for _ in range(chance.randint(0, 3)):
        place = chance.randrange(len(data))
        match chance.randrange(3):
            case 0:
                data[place:place] = chance.choice(SNIPPETS)
            case 1:
                del data[place : place + chance.randint(1, 5)]
            case _:
                data[place] = chance.randrange(256)
    if chance.random() < 0.5:
        data += LAST
    cuts = sorted(chance.sample(range(len(data)), k=min(len(data), chance.randint(0, 4))))
    return [bytes(data[start:end]) for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
