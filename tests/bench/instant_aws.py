"""An AWS that answers at once: `python instant_aws.py PORT FILE`, in a process of its own so that it is not counted.

A request that names an answer by `x-answer` gets it; any other, such as the POST that resumes a flow, an empty 200.
FILE is a JSON list of answers in Base64, read at the first request that names one.
"""

import base64
import json
import socket
import sys
import threading
import zlib
from functools import cache
from pathlib import Path

_EMPTY = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


@cache
def _answers() -> list[bytes]:
    made = []
    for text in json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")):
        body = base64.b64decode(text)
        head = f"content-length: {len(body)}\r\nx-amz-crc32: {zlib.crc32(body)}\r\nx-amzn-requestid: {'A' * 52}"
        made.append(f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{head}\r\n\r\n".encode() + body)
    return made


def _serve(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return
            data += more
        head, _, data = data.partition(b"\r\n\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in _split(head)}
        if headers.get(b"expect", b"").lower() == b"100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        size = int(headers.get(b"content-length", b"0"))
        while len(data) < size:
            data += connection.recv(65536)
        data = data[size:]
        number = headers.get(b"x-answer")
        connection.sendall(_answers()[int(number)] if number is not None else _EMPTY)


def _split(head: bytes) -> list[tuple[bytes, bytes, bytes]]:
    return [line.partition(b":") for line in head.split(b"\r\n")[1:]]


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=64) as listening:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            threading.Thread(target=_serve, args=(listening.accept()[0],), daemon=True).start()
