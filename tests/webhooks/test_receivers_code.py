"""The code that receivers are given to check a call with, on a webhook's page and in the guide: each sample is run."""

import html
import json
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flow_hitl.platform.webhook_signature import signature_headers
from infra.local.patience import HANG_SECONDS

ROOT = Path(__file__).parents[2]
SECRET = "whsec_a-secret-of-the-test"
BODY = '{"event": "new_request", "message": "Grüße, and a \\"quote\\""}'
IN_PYTHON = """import json, sys
for one in json.load(sys.stdin):
    print(is_ours(one["secret"], one["headers"], one["body"].encode()))
"""
IN_NODE = """
for (const one of JSON.parse(require("node:fs").readFileSync(0))) {
  const headers = Object.fromEntries(Object.entries(one.headers).map(([name, value]) => [name.toLowerCase(), value]));
  console.log(isOurs(one.secret, headers, Buffer.from(one.body)));
}
"""
IN_GO = """package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"strconv"
	"time"
)

SAMPLE

func main() {
	var calls []struct {
		Secret, Body string
		Headers      map[string]string
	}
	if err := json.NewDecoder(os.Stdin).Decode(&calls); err != nil {
		panic(err)
	}
	for _, one := range calls {
		headers := http.Header{}
		for name, value := range one.Headers {
			headers.Set(name, value)
		}
		fmt.Println(isOurs(one.Secret, headers, []byte(one.Body)))
	}
}
"""


def samples() -> dict[str, str]:
    """Return the page's sample in each language, by its heading."""
    page = (ROOT / "templates/pages/settings_webhook_check.html").read_text("utf-8")
    found = re.findall(r"<summary>(.+?)</summary>\n<pre>(.+?)</pre>", page, re.DOTALL)
    return {name: html.unescape(code) for name, code in found}


def calls() -> tuple[list[dict[str, Any]], list[bool]]:
    """Return calls, and for each whether it is ours, and recent."""
    now = time.time()
    genuine = signature_headers(SECRET, BODY.encode(), datetime.fromtimestamp(now, UTC))
    old = signature_headers(SECRET, BODY.encode(), datetime.fromtimestamp(now - 3600, UTC))
    early = signature_headers(SECRET, BODY.encode(), datetime.fromtimestamp(now + 3600, UTC))
    redated = {**old, "X-Timestamp": genuine["X-Timestamp"]}
    cut = {**genuine, "X-Signature": genuine["X-Signature"][:-1]}
    tried = [
        (SECRET, genuine, BODY, True),
        ("whsec_another", genuine, BODY, False),
        (SECRET, genuine, BODY + " ", False),
        (SECRET, old, BODY, False),
        (SECRET, early, BODY, False),
        (SECRET, redated, BODY, False),
        (SECRET, cut, BODY, False),
    ]
    asked = [{"secret": secret, "headers": headers, "body": body} for secret, headers, body, _ in tried]
    return asked, [expected for *_, expected in tried]


def told(command: Sequence[str | Path], folder: Path) -> list[bool]:
    """Return what a program says to each call."""
    ran = subprocess.run(
        command, cwd=folder, input=json.dumps(calls()[0]), capture_output=True, text=True, timeout=HANG_SECONDS
    )
    assert ran.returncode == 0, ran.stderr
    return [line.lower() == "true" for line in ran.stdout.split()]


def program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not here")
    return path


def test_the_sample_in_python_knows_our_calls(tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text(f"{samples()['Python']}\n{IN_PYTHON}")
    assert told([program("python3"), "sample.py"], tmp_path) == calls()[1]


def test_the_sample_in_javascript_knows_our_calls(tmp_path: Path) -> None:
    (tmp_path / "sample.js").write_text(samples()["JavaScript (Node.js)"] + IN_NODE)
    assert told([program("node"), "sample.js"], tmp_path) == calls()[1]


def test_the_sample_in_go_knows_our_calls(tmp_path: Path) -> None:
    (tmp_path / "sample.go").write_text(IN_GO.replace("SAMPLE", samples()["Go"]))
    assert told([program("go"), "run", "sample.go"], tmp_path) == calls()[1]


def test_there_is_no_other_sample_and_the_guide_has_the_same() -> None:
    assert samples().keys() == {"Python", "JavaScript (Node.js)", "Go"}
    guide = (ROOT / "docs/guides/webhooks.md").read_text("utf-8")
    assert re.sub(r"\n+", "\n", samples()["Python"]) in re.sub(r"\n+", "\n", guide)
