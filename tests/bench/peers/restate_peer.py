"""Restate: a workflow that waits for a promise, on one node. Prints CPU per review of its server and the flow's.

`python restate_peer.py ASKED WARM COUNT FOLDER`, a folder with `node_modules` of its server and SDK.
"""

import http.client
import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

resumed: queue.Queue[str] = queue.Queue()


class Told(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        resumed.put(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(asked: str, warm: int, count: int, modules: Path) -> None:
    told = ThreadingHTTPServer(("127.0.0.1", 0), Told)
    threading.Thread(target=told.serve_forever, daemon=True).start()
    ingress, admin, node, flow = (free_port() for _ in range(4))
    folder = tempfile.mkdtemp()
    environment = {
        **os.environ,
        "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
        "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
        "RESTATE_BIND_ADDRESS": f"127.0.0.1:{node}",
        "RESTATE_ADVERTISED_ADDRESS": f"http://127.0.0.1:{node}",
        "RESTATE_DISABLE_TELEMETRY": "true",
        "RESTATE_LOG_FILTER": "error",
        "DO_NOT_TRACK": "1",
        "TOLD_PORT": str(told.server_port),
        "FLOW_PORT": str(flow),
    }
    shutil.copy(Path(__file__).with_name("restate_flow.mjs"), modules / "flow.mjs")
    quiet = subprocess.DEVNULL
    (binary,) = modules.glob("node_modules/@restatedev/restate-server-*/bin/restate-server")
    server = subprocess.Popen([str(binary), "--base-dir", folder], env=environment, stdout=quiet, stderr=quiet)
    service = subprocess.Popen(["node", "flow.mjs"], env=environment, cwd=modules, stdout=quiet, stderr=quiet)
    try:
        register(admin, flow)
        calls = http.client.HTTPConnection("127.0.0.1", ingress, timeout=60)

        def call(path: str, body: str) -> None:
            calls.request("POST", path, body, {"content-type": "application/json"})
            answer = calls.getresponse()
            text = answer.read()
            assert answer.status < 300, text

        for number in range(-warm, count):
            if number == 0:
                began = cpu_seconds(server.pid) + cpu_seconds(service.pid)
            call(f"/Review/r{number}/run/send", asked)
            call(f"/Review/r{number}/resolve", '"approved"')
            assert resumed.get(timeout=60) == f"/resumed/r{number}"
        taken = (cpu_seconds(server.pid) + cpu_seconds(service.pid) - began) / count * 1000
    finally:
        for process in (service, server):
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)
    version = json.loads((modules / "node_modules/@restatedev/restate-server/package.json").read_text())["version"]
    sys.stdout.write(json.dumps({"system": f"Restate {version}, one node", "cpu_ms": taken}) + "\n")
    sys.stdout.flush()


def register(admin: int, flow: int) -> None:
    body = json.dumps({"uri": f"http://127.0.0.1:{flow}"}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{admin}/deployments", body, {"content-type": "application/json"}
    )
    until = time.monotonic() + 90
    while True:
        try:
            urllib.request.urlopen(request, timeout=30).read()  # noqa: S310 - of our own
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
