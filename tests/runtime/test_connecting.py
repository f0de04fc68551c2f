"""An account is connected in one command: settings into the files, secrets into the vault, and tested at once."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import pty
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.process import HubProcess, event

pytestmark = pytest.mark.processes

NEW = "greeter"


@pytest.fixture
def secret_files(hub: HubProcess, tmp_path: Path) -> list[str]:
    """Give the options that name the files of the connection's secrets."""
    options = []
    for name, value in hub.secrets().items():
        (tmp_path / name).write_text(value + "\n")
        options += ["--secret-file", f"{name}={tmp_path / name}"]
    return options


def stages(made: Any) -> dict[str, str]:
    return {check["stage"]: check["outcome"] for check in made["diagnosis"]["checks"]}


def test_a_new_account_is_written_sealed_and_tested(hub: HubProcess, vendor: Any, secret_files: list[str]) -> None:
    file = hub.workspace / "environments/test.yaml"
    file.write_text(
        f"# The tests' own.\nenvironment: test\nprivate_hosts: [127.0.0.1]  # the sandbox\nconnections:\n"
        f"  hello:\n    base_url: {vendor['url']}\n    secret: vault:hello\n# The end.\n"
    )
    made = hub.run(
        "connect", "helloworld", "--name", NEW, "--set", f"base_url={vendor['url']}", *secret_files, "--json"
    )
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    assert told["diagnosis"]["works"]
    assert (told["version"], told["serves"], told["governed"]) == (1, False, False)
    assert told["written"] == ["connections/greeter.yaml", "environments/test.yaml"]
    text = file.read_text()
    assert f"  greeter:\n    base_url: {vendor['url']}\n    secret: vault:greeter\n# The end.\n" in text
    assert text.startswith("# The tests' own.\nenvironment: test\nprivate_hosts: [127.0.0.1]  # the sandbox\n")
    assert hub.run("check").returncode == 0
    hub.start()
    found = hub.api("GET", "/api/connections").json()["connections"]
    assert [each["name"] for each in found] == [NEW]
    assert hub.run("connections", "test", NEW).returncode == 0
    assert hub.end() == 0
    everything = made.stdout + made.stderr + text + (hub.workspace / "connections/greeter.yaml").read_text()
    kept = b"".join(path.read_bytes() for path in hub.data.iterdir())
    for value in hub.secrets().values():
        assert value not in everything
        assert value.encode() not in kept


def test_a_new_secret_is_used_by_the_next_attempt_at_once(
    hub: HubProcess, vendor: Any, secret_files: list[str], tmp_path: Path
) -> None:
    """A hub that serves with a revoked key goes on when the right one is connected, with nothing restarted."""
    wrong = tmp_path / "wrong"
    wrong.write_text("a-key-that-is-wrong")
    first = hub.run("connect", "helloworld", "--name", "hello", *secret_files[2:], "--secret-file", f"api_key={wrong}")
    assert first.returncode == 1
    assert "The API key is not known." in first.stdout
    assert "hello does not work." in first.stdout
    assert "a-key-that-is-wrong" not in first.stdout + first.stderr
    hub.start()
    assert hub.hook(event(1)).status == 202
    hub.settled({"waiting": 1})
    (paused,) = hub.api("GET", "/api/connections").json()["connections"]
    assert paused["standing"] == "paused"
    second = hub.run("connect", "helloworld", "--name", "hello", *secret_files, "--json")
    assert second.returncode == 0, second.stdout + second.stderr
    told = json.loads(second.stdout)
    assert (told["version"], told["serves"], told["written"]) == (2, True, [])
    assert hub.api("POST", "/api/connections/hello/resume", {"reason": "a new key"}).status == 200
    hub.reached("succeeded", 1)
    assert hub.end() == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["helloworld", "--set", "colour=red"], "has no setting `colour`"),
        (["helloworld", "--set", "api_key=sk"], "Give it with --secret-file api_key=FILE"),
        (["helloworld", "--set", "base_url"], "Write --set SETTING=VALUE"),
        (["helloworld", "--secret-file", "base_url=x"], "is no secret"),
        (["helloworld", "--name", "two words"], "A connection's name has letters"),
        (["helloworld", "--name", NEW], "base_url: it is missing"),
        (["helloworld", "--name", NEW, "--set", "base_url=example.com"], "base_url: write a scheme and a host"),
        (["stripe", "--name", "hello"], "is a connection of helloworld already"),
        (["nosuch"], "No such connector is installed"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_and_nothing_is_written(
    hub: HubProcess, options: list[str], words: str
) -> None:
    before = {path: path.read_bytes() for path in hub.workspace.rglob("*.yaml")}
    made = hub.run("connect", *options)
    assert (made.returncode, "Traceback" in made.stderr) == (1, False)
    assert words in made.stderr
    assert {path: path.read_bytes() for path in hub.workspace.rglob("*.yaml")} == before


def test_a_secret_does_not_go_to_another_host(hub: HubProcess, secret_files: list[str]) -> None:
    """Who changes the host must give the secret again: what is sealed opens for its old host only."""
    assert hub.run("connect", "helloworld", "--name", "hello", *secret_files).returncode == 0
    moved = hub.run("connect", "helloworld", "--name", "hello", "--set", "base_url=https://attacker.example")
    assert moved.returncode == 1
    assert "api_key: it is missing" in moved.stderr


def test_a_file_that_cannot_be_changed_safely_is_told_with_its_lines(hub: HubProcess, secret_files: list[str]) -> None:
    made = hub.run("connect", "helloworld", "--name", "hello", "--set", "timeout=9", *secret_files)
    assert made.returncode == 1
    assert "Write below its `connections:` yourself:" in made.stderr
    assert "timeout: 9" in made.stderr


def test_what_a_replaced_webhook_secret_signed_is_still_taken(hub: HubProcess, tmp_path: Path) -> None:
    """Stripe lets the old one sign for a day: the hub takes both, with nothing restarted, and no third."""
    file = hub.workspace / "environments/test.yaml"
    file.write_text(
        "environment: test\nproduction: false\nprivate_hosts: [127.0.0.1]\nconnections:\n"
        "  hello:\n    base_url: http://127.0.0.1:9\n    secret: vault:hello\n"
    )

    def connect(**secrets: str) -> None:
        options = []
        for name, value in secrets.items():
            (tmp_path / name).write_text(value)
            options += ["--secret-file", f"{name}={tmp_path / name}"]
        made = hub.run("connect", "stripe", "--set", "base_url=http://127.0.0.1:9", *options)
        assert "Port 9 of 127.0.0.1 refuses connections." in made.stdout, made.stderr

    def sign(secret: str, number: int) -> int:
        body = json.dumps(
            {
                "object": "event",
                "id": f"evt_{number}",
                "type": "customer.created",
                "created": int(time.time()),
                "livemode": False,
                "data": {"object": {"object": "customer", "id": "cus_1"}},
            }
        ).encode()
        moment = str(int(time.time()))
        made = hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
        return hub.call("POST", "/hooks/stripe", body, headers={"stripe-signature": f"t={moment},v1={made}"}).status

    connect(api_key="sk_test_0123456789", webhook_secret="whsec_the_first_one")
    hub.start()
    assert sign("whsec_the_first_one", 1) == 202
    connect(webhook_secret="whsec_the_second_one")
    assert [sign(f"whsec_the_{word}_one", 2) for word in ("first", "second", "third")] == [202, 202, 401]
    connect(webhook_secret="whsec_the_third_one")
    assert [sign(f"whsec_the_{word}_one", 3) for word in ("first", "second", "third")] == [401, 202, 202]
    assert hub.end() == 0


def test_an_account_of_the_other_kind_is_refused(hub: HubProcess, tmp_path: Path) -> None:
    file = hub.workspace / "environments/test.yaml"
    file.write_text(file.read_text() + "production: false\n")
    options = []
    for name, value in {"api_key": "sk_live_0123456789", "webhook_secret": "whsec_0123456789"}.items():
        (tmp_path / name).write_text(value)
        options += ["--secret-file", f"{name}={tmp_path / name}"]
    made = hub.run("connect", "stripe", *options)
    assert made.returncode == 1
    assert "This account moves real money, and the environment is no production." in made.stderr
    assert "sk_live" not in made.stdout + made.stderr
    assert not (hub.workspace / "connections/stripe.yaml").exists()


def test_what_is_missing_is_asked_for_one_by_one(hub: HubProcess, vendor: Any) -> None:
    """At a terminal; what is wrong is said at once, and what is secret is not shown."""
    answers = ["not-a-url", vendor["url"], "", hub.secrets()["api_key"], hub.secrets()["webhook_secret"]]
    head, line = pty.openpty()
    shown: list[bytes] = []

    def listen() -> None:
        while True:
            try:
                part = os.read(head, 4096)
            except OSError:
                return
            shown.append(part)

    (hub.workspace / "environments/test.yaml").write_text(
        "environment: test\nprivate_hosts: [127.0.0.1]\nconnections:\n"
        f"  hello:\n    base_url: {vendor['url']}\n    secret: vault:hello\n"
    )
    listening = threading.Thread(target=listen, daemon=True)
    listening.start()
    process = subprocess.Popen(
        [sys.executable, "-m", "hub.cli", "connect", "helloworld", "--name", NEW],
        stdin=line,
        stdout=line,
        stderr=line,
        env=hub.environ,
        start_new_session=True,
    )
    seen = 0
    for text in answers:
        end = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < end:
            so_far = b"".join(shown)
            if len(so_far) > seen and so_far.endswith(b": "):
                break
            time.sleep(0.02)
        seen = len(b"".join(shown))
        os.write(head, text.encode() + b"\n")
    assert process.wait(timeout=60) == 0, b"".join(shown).decode()
    # The last of its ends is closed: what was said is read to its end, and no more can come.
    os.close(line)
    listening.join(60)
    said = b"".join(shown).decode()
    assert "write a scheme and a host" in said
    assert "it must be given." in said
    assert "greeter works." in said
    for value in hub.secrets().values():
        assert value not in said
