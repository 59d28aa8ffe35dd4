"""The local stack: the emulator with the core stack deployed on it, the mailbox, SMTP in, and the address in front."""

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
from waitress.server import create_server

from infra.local import assembly
from infra.local.deploy import deploy
from infra.local.emulator import REGION, Emulator
from infra.local.failure import StackFailed
from infra.local.front import LARGEST_BODY, Front
from infra.local.inbound import LARGEST_MAIL, Receiver, SmtpServer
from infra.local.mailbox import Mailbox
from infra.local.patience import HANG_SECONDS
from infra.local.progress import Progress
from infra.local.seed import seed
from infra.local.ses import ses_app
from infra.local.state import Credentials, Operator, credentials_path, emulator_log, operator_path, write_state
from infra.local.warm_up import warm_up

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
    """Starts every part in order, watches them, and ends every part that it started."""

    def __init__(self, home: Path, ports: Ports, progress: Progress) -> None:
        """Prepare a stack that keeps its files in `home`, claimed by the caller, and will answer on `ports`."""
        self._home = home
        self._wanted = ports
        self._progress = progress
        self._parts = ExitStack()
        self._threads: dict[str, threading.Thread] = {}
        self._emulator: Emulator | None = None

    def start(self) -> Credentials:
        """Start everything, write the files for other programs and return the credentials.

        Raises StackFailed or DeploymentError; call `stop` in any case.
        """
        try:
            return self._start()
        except (BotoCoreError, ClientError, urllib3.exceptions.HTTPError, OSError) as error:
            # Whatever waits for the emulator fails when that ends, and then its end is the reason.
            if self._emulator is not None:
                self._emulator.check()
            raise StackFailed(
                f"It could not start: {type(error).__name__}: {error}. "
                f"Start it again; if that fails too, see the end of {emulator_log(self._home)}."
            ) from error

    def _start(self) -> Credentials:
        http, smtp = _bind(self._wanted.http, "FLOW_HITL_PORT"), _bind(self._wanted.smtp, "FLOW_HITL_SMTP_PORT")
        base_url = f"http://127.0.0.1:{_port(http)}"
        with self._progress.step("Synthesising the core stack (kept for the next start)"):
            assembly.synthesise(self._home / "assembly", base_url)
        mailbox = self._mailbox()
        with self._progress.step("Starting the emulator of AWS"):
            emulator = self._start_emulator(mailbox)
        with self._progress.step("Deploying the core stack"):
            outputs = deploy(self._home / "assembly", assembly.STACK_NAME, emulator.endpoint_url)
        operator = Operator(emulator.endpoint_url, REGION, assembly.STACK_NAME, outputs)
        with self._progress.step("Creating a deployment and an API key"):
            seeded = seed(operator)
        api_url = f"{emulator.endpoint_url}/_aws/execute-api/{outputs['ApiId']}/$default"
        with self._progress.step("Starting the functions") as note:
            warm_up(emulator.endpoint_url, api_url, note)
        credentials = Credentials(
            base_url=base_url,
            smtp_port=_port(smtp),
            inbound_domain=assembly.INBOUND_DOMAIN,
            deployment_id=seeded.deployment_id,
            organization_id=seeded.organization_id,
            api_key=seeded.api_key,
            resume_signing_secret=seeded.resume_signing_secret,
            manager_email=seeded.manager_email,
        )
        receiver = Receiver(emulator.endpoint_url, outputs["MailBucket"], outputs["ReceiptsTopicArn"])
        smtp.close()
        smtp_server = SmtpServer(credentials.smtp_port, assembly.INBOUND_DOMAIN, receiver.accept)
        smtp_server.start()
        self._parts.callback(smtp_server.stop)
        front = Front(api_url, mailbox, _facts(credentials, credentials_path(self._home)), smtp_server.deliver)
        self._serve("front", front, http, FRONT_THREADS, LARGEST_BODY)
        self._write(operator, credentials)
        return credentials

    def watch(self) -> None:
        """Wait until a part of the stack ends by itself, and raise StackFailed that says which."""
        while True:
            time.sleep(CHECK_SECONDS)
            if self._emulator is not None:
                self._emulator.check()
            for name, thread in self._threads.items():
                if not thread.is_alive():
                    raise StackFailed(f"The {name} server of the local stack has stopped.")

    def stop(self) -> None:
        """End what was started."""
        self._parts.close()

    def _mailbox(self) -> Mailbox:
        directory = self._home / "mail"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        return Mailbox(directory)

    def _start_emulator(self, mailbox: Mailbox) -> Emulator:
        ses = _bind(0, "")
        self._serve("mail", ses_app(mailbox), ses, SES_THREADS, 2 * LARGEST_MAIL)
        self._emulator = Emulator(self._home, f"http://127.0.0.1:{_port(ses)}")
        self._parts.callback(self._emulator.stop)
        self._emulator.start()
        return self._emulator

    def _serve(self, name: str, app: WsgiApp, bound: socket.socket, threads: int, largest_body: int) -> None:
        """Serve a WSGI application in a thread that ends with this process."""
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

    def _write(self, operator: Operator, credentials: Credentials) -> None:
        write_state(operator_path(self._home), operator)
        write_state(credentials_path(self._home), credentials)


def _bind(port: int, variable: str) -> socket.socket:
    """Take a port of 127.0.0.1 now and listen on it later, so that a wrong one is known at once; 0 takes a free one."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
    except OSError as error:
        bound.close()
        raise StackFailed(f"Port {port} is taken; choose another with {variable}=… (0 takes a free one).") from error
    return bound


def _port(bound: socket.socket) -> int:
    port: int = bound.getsockname()[1]
    return port


def _facts(credentials: Credentials, credentials_file: Path) -> dict[str, str]:
    return {
        "API": credentials.base_url,
        "SMTP in": f"127.0.0.1:{credentials.smtp_port}",
        "takes mail for": f"@{credentials.inbound_domain}",
        "deployment": str(credentials.deployment_id),
        "sign in as": credentials.manager_email,
        "key in": str(credentials_file),
    }
