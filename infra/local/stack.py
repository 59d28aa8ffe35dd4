"""The local stack: the emulator with the core stack, the mailbox, inbound SMTP, and the address in front."""

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import urllib3
from botocore.exceptions import BotoCoreError, ClientError

from infra.local import assembly
from infra.local.emulator import REGION, Emulator
from infra.local.failure import StackFailed
from infra.local.patience import HANG_SECONDS
from infra.local.progress import Progress
from infra.local.state import Credentials, Operator, credentials_path, emulator_log, operator_path, write_state

FRONT_THREADS = 64
SES_THREADS = 4
CHECK_SECONDS = 0.5

WsgiApp = Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]


@dataclass(frozen=True)
class Ports:
    """The two ports that callers know; 0 asks for any that is free."""

    http: int
    smtp: int


class LocalStack:
    """Starts every part in order, watches them, and stops them."""

    def __init__(self, home: Path, ports: Ports, progress: Progress) -> None:
        """Prepare a stack on `ports` that keeps its files in `home`, which the caller has claimed."""
        self._home = home
        self._wanted = ports
        self._progress = progress
        self._parts = ExitStack()
        self._threads: dict[str, threading.Thread] = {}
        self._emulator: Emulator | None = None

    def start(self) -> Credentials:
        """Start everything and return the credentials; call `stop` in any case.

        Raises StackFailed or DeploymentError.
        """
        try:
            return self._start()
        except (BotoCoreError, ClientError, urllib3.exceptions.HTTPError, OSError) as error:
            # If the emulator has stopped, that is the reason.
            if self._emulator is not None:
                self._emulator.check()
            raise StackFailed(
                f"The local stack did not start: {type(error).__name__}: {error}. "
                f"Start it again; if it fails again, see the end of {emulator_log(self._home)}."
            ) from error

    def _start(self) -> Credentials:
        http, smtp = _bind(self._wanted.http, "FLOW_HITL_PORT"), _bind(self._wanted.smtp, "FLOW_HITL_SMTP_PORT")
        ses = _bind(0, "")
        base_url = f"http://127.0.0.1:{_port(http)}"
        with self._progress.step("Synthesizing the core stack (cached for the next start)"):
            assembly.synthesise(self._home / "assembly", base_url)
            packages = assembly.packages(self._home / "assembly")
        with self._progress.step("Starting the AWS emulator"):
            emulator = self._emulator = Emulator(self._home, f"http://127.0.0.1:{_port(ses)}", packages)
            self._parts.callback(emulator.stop)
            emulator.start()
            # These imports take a second, in which the emulator starts and imports what functions need.
            from infra.local.deploy import deploy
            from infra.local.front import LARGEST_BODY, Front
            from infra.local.inbound import LARGEST_MAIL, Receiver, SmtpServer
            from infra.local.mailbox import Mailbox
            from infra.local.seed import seed
            from infra.local.ses import SesTrouble, ses_app
            from infra.local.warm_up import api_url, warm_up

            mailbox, ses_trouble = Mailbox(_emptied(self._home / "mail")), SesTrouble()
            self._serve("mail", ses_app(mailbox, ses_trouble), ses, SES_THREADS, 2 * LARGEST_MAIL)
            emulator.wait()
        with self._progress.step("Deploying the core stack"):
            outputs = deploy(self._home / "assembly", assembly.STACK_NAME, emulator.endpoint_url)
        operator = Operator(emulator.endpoint_url, REGION, assembly.STACK_NAME, outputs)
        with self._progress.step("Creating a deployment and an API key"):
            seeded = seed(operator)
        with self._progress.step("Starting the functions") as note:
            warm_up(url := api_url(emulator.endpoint_url, outputs["ApiId"]), note)
            _check(emulator.broken_functions())
        credentials = Credentials(
            base_url=base_url,
            smtp_port=_port(smtp),
            inbound_domain=assembly.INBOUND_DOMAIN,
            **vars(seeded),
        )
        receiver = Receiver(emulator.endpoint_url, outputs["MailBucket"], outputs["ReceiptsTopicArn"])
        smtp.close()
        smtp_server = SmtpServer(credentials.smtp_port, assembly.INBOUND_DOMAIN, receiver.accept)
        smtp_server.start()
        self._parts.callback(smtp_server.stop)
        front = Front(
            url,
            mailbox,
            _facts(credentials, credentials_path(self._home)),
            smtp_server.deliver,
            ses_trouble,
            credentials.api_key,
        )
        self._serve("front", front, http, FRONT_THREADS, LARGEST_BODY)
        write_state(operator_path(self._home), operator)
        write_state(credentials_path(self._home), credentials)
        return credentials

    def watch(self) -> None:
        """Wait until a part of the stack stops by itself; raise StackFailed that says which."""
        while True:
            time.sleep(CHECK_SECONDS)
            if self._emulator is not None:
                self._emulator.check()
            for name, thread in self._threads.items():
                if not thread.is_alive():
                    raise StackFailed(f"The {name} server of the local stack has stopped; start the stack again.")

    def stop(self) -> None:
        """Stop what was started."""
        self._parts.close()

    def _serve(self, name: str, app: WsgiApp, bound: socket.socket, threads: int, largest_body: int) -> None:
        """Serve a WSGI application in a daemon thread."""
        from waitress.server import create_server

        server = create_server(
            app,
            sockets=[bound],
            threads=threads,
            max_request_body_size=largest_body,
            ident=None,
            channel_timeout=int(HANG_SECONDS),
        )
        thread = threading.Thread(target=server.run, name=name, daemon=True)
        thread.start()
        self._threads[name] = thread


def _bind(port: int, variable: str) -> socket.socket:
    """Bind a port of 127.0.0.1 (0: any free one) before the slow steps, so that a taken one fails at once."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
    except OSError as error:
        bound.close()
        raise StackFailed(f"Port {port} is taken. Choose another with {variable}=… (0 for a free one).") from error
    return bound


def _emptied(directory: Path) -> Path:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    return directory


def _port(bound: socket.socket) -> int:
    port: int = bound.getsockname()[1]
    return port


def _check(broken: dict[str, str]) -> None:
    if broken:
        raise StackFailed(
            "Functions do not load. Fix them and start again:\n"
            + "\n".join(f"{module}: {why}" for module, why in broken.items())
        )


def _facts(credentials: Credentials, credentials_file: Path) -> dict[str, str]:
    return {
        "API": credentials.base_url,
        "Inbound SMTP": f"127.0.0.1:{credentials.smtp_port}",
        "Receives email for": f"@{credentials.inbound_domain}",
        "Deployment": str(credentials.deployment_id),
        "Sign in as": credentials.manager_email,
        "API key in": str(credentials_file),
    }
