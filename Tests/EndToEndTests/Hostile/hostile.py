#!/usr/bin/env python3
"""Bytes that no honest program sends, to one listener of a node. Standard library only.

usage: hostile.py KIND PORT|SOCKET SEED COUNT [CERTIFICATE KEY]

Prints one JSON object: how many connections were made, how many of them the node ended by itself, and how.
Whether the node bears it is for the caller to see.
"""
import json
import random
import socket
import ssl
import struct
import sys

kind, place, seed, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
identity = sys.argv[5:7]
chance = random.Random(seed)
PATIENCE = 20.0
outcome = {"connections": 0, "ended": 0, "open": 0, "refused": 0, "codes": {}}


def tcp():
    if place.startswith("/"):
        plain = socket.socket(socket.AF_UNIX)
        plain.settimeout(PATIENCE)
        plain.connect(place)
    else:
        plain = socket.create_connection(("127.0.0.1", int(place)), timeout=PATIENCE)
    outcome["connections"] += 1
    return plain


def tls(version=ssl.TLSVersion.TLSv1_3, plain=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2 if version == ssl.TLSVersion.TLSv1_2 else version
    context.maximum_version = version
    if identity:
        context.load_cert_chain(*identity)
    return context.wrap_socket(plain or tcp())


def note(code):
    outcome["codes"][str(code)] = outcome["codes"].get(str(code), 0) + 1


def until_end(stream):
    """Reads until the node ends the connection; gives what it said."""
    said = b""
    try:
        while len(said) < 1 << 20:
            part = stream.recv(65536)
            if not part:
                break
            said += part
        outcome["ended"] += 1
    except (socket.timeout, TimeoutError):
        outcome["open"] += 1
    except OSError:
        outcome["ended"] += 1
    stream.close()
    return said


def pour(stream, data):
    try:
        stream.sendall(data)
    except OSError:
        pass


def upgraded():
    stream = tls()
    pour(
        stream,
        b"GET /v1/session HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    )
    head = b""
    while b"\r\n\r\n" not in head:
        part = stream.recv(4096)
        if not part:
            raise SystemExit("no upgrade: %r" % head)
        head += part
    if b" 101 " not in head.split(b"\r\n")[0]:
        raise SystemExit("no upgrade: %r" % head)
    return stream


def frame(opcode, payload, final=True, masked=True, length=None):
    size = len(payload) if length is None else length
    head = bytes([(0x80 if final else 0) | opcode])
    mark = 0x80 if masked else 0
    if size < 126:
        head += bytes([mark | size])
    elif size < 65536:
        head += bytes([mark | 126]) + struct.pack(">H", size)
    else:
        head += bytes([mark | 127]) + struct.pack(">Q", size)
    if not masked:
        return head + payload
    key = b"\x00\x00\x00\x00"  # a mask of zeros is a mask
    return head + key + payload


def varint(number):
    out = b""
    while True:
        low, number = number & 0x7F, number >> 7
        out += bytes([low | (0x80 if number else 0)])
        if not number:
            return out


def protobuf():
    """Well-formed, ill-formed and deep protobuf with numbers at the borders."""
    borders = [0, 1, 2**31 - 1, 2**31, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1]
    choice = chance.randrange(4)
    if choice == 0:
        return b"".join(varint(chance.randrange(1, 40) << 3) + varint(chance.choice(borders)) for _ in range(chance.randrange(1, 20)))
    if choice == 1:
        data = b""
        for _ in range(chance.randrange(1, 2000)):
            data = varint(chance.randrange(1, 6) << 3 | 2) + varint(len(data)) + data
            if len(data) > 60000:
                break
        return data
    if choice == 2:
        body = bytes(chance.randrange(256) for _ in range(chance.randrange(64)))
        inner = varint(chance.randrange(1, 12) << 3 | 2) + varint(len(body)) + body
        return varint(chance.randrange(1, 40) << 3 | 2) + varint(len(inner)) + inner
    return varint(chance.randrange(1, 40) << 3 | 2) + varint(chance.choice(borders)) + b"short"


def noise(limit):
    return chance.randbytes(chance.randrange(1, limit))


def sockets_code(said):
    """The WebSocket close code in what the node said, if there is one."""
    at = said.rfind(b"\x88")
    if at >= 0 and len(said) >= at + 4 and said[at + 1] >= 2:
        note(struct.unpack(">H", said[at + 2 : at + 4])[0])
    else:
        note("none")


def attack():
    if kind == "noise":
        stream = tcp()
        pour(stream, noise(20000))
        if chance.random() < 0.5:
            stream.shutdown(socket.SHUT_WR)
        until_end(stream) if chance.random() < 0.5 else stream.close()
    elif kind == "hello-cut":
        stream = tcp()
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(200)
        pour(stream, hello[: chance.randrange(1, len(hello))])
        stream.close()
    elif kind == "tls12":
        try:
            stream = tls(ssl.TLSVersion.TLSv1_2)
            note(stream.version())
            stream.close()
        except (ssl.SSLError, OSError):
            outcome["refused"] += 1
    elif kind == "http":
        stream = tls() if not place.startswith("/") else tcp()
        requests = [
            b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 200000 + b"\r\n\r\n",
            b"GET /" + b"z" * 100000 + b" HTTP/1.1\r\n\r\n",
            b"POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n" + noise(60000),
            b"POST /v1/invitations HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n" + b"{" * 1000000,
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n" + noise(60000),
            b"GET /i/" + b"%00" * 100 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            b"\x00\x01\x02 / HTTP/9.9\r\n\r\n",
            noise(5000),
            b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5000,
            b"GET /v1/session HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 200,
        ]
        pour(stream, chance.choice(requests))
        if chance.random() < 0.3:
            said = until_end(stream)
            note(said.split(b"\r\n")[0].decode("latin1")[:40])
        else:
            stream.close()
    elif kind == "frames":
        stream = upgraded()
        choice = chance.randrange(8)
        if choice == 0:
            pour(stream, noise(5000))
        elif choice == 1:
            pour(stream, frame(2, noise(90000)))
        elif choice == 2:
            pour(stream, frame(2, b"", length=chance.choice([2**17, 2**31, 2**32, 2**62, 2**63, 2**64 - 1])) + noise(1000))
        elif choice == 3:
            pour(stream, frame(2, noise(1000), masked=False))
        elif choice == 4:
            pour(stream, frame(chance.choice([1, 3, 7, 11, 15]), noise(500)))
        elif choice == 5:
            pour(stream, frame(2, noise(1000), length=5000))
            stream.close()
            return
        elif choice == 6:
            pour(stream, b"".join(frame(2, protobuf()) for _ in range(20)))
        else:
            pour(stream, frame(0, b"a continuation of nothing"))
        sockets_code(until_end(stream))
    elif kind == "fragments":
        stream = upgraded()
        pour(stream, frame(2, b"x", final=False))
        for _ in range(60):
            pour(stream, frame(0, b"" if chance.random() < 0.5 else b"y" * 4000, final=False) * 100)
        sockets_code(until_end(stream))
    elif kind == "pings":
        stream = upgraded()
        for _ in range(50):
            pour(stream, frame(9, b"p" * 125) * 100)
        stream.close()
    elif kind == "links":
        stream = tls()
        choice = chance.randrange(5)
        if choice == 0:
            pour(stream, noise(20000))
        elif choice == 1:
            pour(stream, struct.pack(">I", chance.choice([96 * 1024 + 1, 2**31 - 1, 2**31, 2**32 - 1])) + noise(1000))
        elif choice == 2:
            pour(stream, b"\x00" * 100000)
        elif choice == 3:
            data = protobuf()
            pour(stream, (struct.pack(">I", len(data)) + data) * 20)
        else:
            pour(stream, struct.pack(">I", 5000) + noise(1000))
            stream.close()
            return
        until_end(stream)
    else:
        raise SystemExit("no such kind: " + kind)


if kind == "slow":
    # All at once: each says a little and waits. Held until stdin ends.
    held = []
    for number in range(count):
        try:
            if number % 3 == 0:
                stream = tcp()
                pour(stream, b"\x16")
            elif number % 3 == 1:
                stream = tls()
                pour(stream, b"G")
            else:
                stream = upgraded() if not identity else tls()
                pour(stream, b"\x82" if not identity else b"\x00")
            held.append(stream)
        except OSError:
            outcome["refused"] += 1
    print(json.dumps(outcome), flush=True)
    sys.stdin.read()
else:
    for _ in range(count):
        try:
            attack()
        except (ssl.SSLError, OSError):
            outcome["refused"] += 1
    print(json.dumps(outcome))
