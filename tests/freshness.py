#!/usr/bin/env python3
"""From a node's finalized notification to a subscriber's message, in milliseconds.

    yumascope demo --live 300          # its log names the node's address
    python3 tests/freshness.py NODE_HOST:PORT 127.0.0.1:8787 150

Both are heard by this process: the node's chain_subscribeFinalizedHeads, and the stream of blocks
by Server-Sent Events. The recorded chain has 330 blocks.
"""

import base64
import json
import os
import socket
import struct
import sys
import threading
import time


def connect(address):
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)))


def hear_node(address, heard):
    """Notes when the node tells of each finalized height."""
    stream = connect(address)
    key = base64.b64encode(os.urandom(16)).decode()
    head = (
        f"GET / HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    stream.sendall(head.encode())
    lines = stream.makefile("rb")
    while lines.readline() != b"\r\n":
        pass
    asked = json.dumps(
        {"jsonrpc": "2.0", "id": 1, "method": "chain_subscribeFinalizedHeads", "params": []}
    ).encode()
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(asked))
    stream.sendall(bytes([0x81, 0x80 | len(asked)]) + mask + masked)
    while True:
        kind, size = lines.read(2)
        size &= 127
        if size == 126:
            (size,) = struct.unpack(">H", lines.read(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", lines.read(8))
        text = lines.read(size)
        now = time.time()
        if kind & 15 == 1 and "params" in (told := json.loads(text)):
            heard[int(told["params"]["result"]["number"], 16)] = now


def hear_stream(address, heard):
    """Notes when the stream tells of each block."""
    stream = connect(address)
    stream.sendall(f"GET /v1/streams/blocks HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
    for line in stream.makefile("rb"):
        now = time.time()
        if line.startswith(b"data: ") and "value" in (told := json.loads(line[6:])):
            heard[told["block"]] = now


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    node, served, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
    by_node, by_stream = {}, {}
    for work, address, heard in (
        (hear_node, node, by_node),
        (hear_stream, served, by_stream),
    ):
        threading.Thread(target=work, args=(address, heard), daemon=True).start()
    while len(by_stream) < wanted:
        time.sleep(0.2)
    both = [block for block in list(by_stream) if block in by_node]
    times = sorted((by_stream[block] - by_node[block]) * 1000 for block in both)
    at = lambda part: times[min(len(times) - 1, int(len(times) * part))]
    print(
        f"{len(times)} blocks: p50 {at(0.5):.1f} ms, p90 {at(0.9):.1f} ms, "
        f"p99 {at(0.99):.1f} ms, most {times[-1]:.1f} ms"
    )


main()
