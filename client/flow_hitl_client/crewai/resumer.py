"""The resumer: resumes stored flows when their decisions arrive, from the feed or by push.

As a worker, with one connection for any number of paused flows and no public endpoint:

    flow-hitl-client resume --app my_flows:registry

As an endpoint for `resume_url` pushes, beside your web app or alone (`gunicorn my_flows:resume_app`):

    resumer = Resumer(registry)
    resumer.start()
    resume_app = flow_hitl_client.endpoint.wsgi_app(resumer.accept, secrets=["…"])      # or asgi_app

Several of both may run at once: only one resumes a flow.
"""

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from flow_hitl_client.client import Client
from flow_hitl_client.crewai.providers import DurableProvider
from flow_hitl_client.crewai.registry import Registry, registry_of
from flow_hitl_client.crewai.resumption import Busy, NotPaused, go_on, run_coroutine, send_reports
from flow_hitl_client.crewai.store import opened
from flow_hitl_client.endpoint import OnQuestion
from flow_hitl_client.errors import FlowHitlClientError, Forbidden, Unauthorized
from flow_hitl_client.journal import Journal, Pause
from flow_hitl_client.types import FreeText, Request
from flow_hitl_client.waiting import next_look

_log = logging.getLogger("flow_hitl_client")

_PAGE: Final = 100
_MOST_REPLIES: Final = 5
_LOOK_SECONDS: Final = 5.0
_LONGEST_PAUSE_SECONDS: Final = 60.0
_CANCELLED_SECONDS: Final = 600.0
# The most by which this machine's clock and the server's may differ.
_CLOCKS_DIFFER: Final = timedelta(hours=1)
_KEEP_SECONDS: Final = 90 * 24 * 3600.0


class Resumer:
    """Resumes the flows of one store. Its methods may be called from any thread."""

    def __init__(
        self,
        app: Any,
        *,
        client: Client | None = None,
        store: str | os.PathLike[str] | None = None,
        resume_url: str | None = None,
        free_text: FreeText | None = None,
        concurrency: int = 4,
        say: Callable[[str], None] = _log.info,
        on_question: OnQuestion | None = None,
    ) -> None:
        """Resume the flows of `app`: a Registry, a flow class, a list of them, or a module of them.

        `client` defaults to the environment's, `store` to `flow_store`'s file. `resume_url` and `free_text` are for the
        flows' next review points, as in DurableProvider. At most `concurrency` flows run at once, each in a thread.
        `say` reports what happens. `on_question` answers those who ask back, as in `endpoint.wsgi_app`, for flows whose
        questions come by the feed; one that fails is called again, five times at most.
        """
        self._registry: Registry = registry_of(app)
        self._client = client or Client()
        persistence, self._journal = opened(store)
        self._inner = self._registry.persistence or persistence
        provider = DurableProvider(self._client, resume_url=resume_url, free_text=free_text, say=say)
        self._asker = provider.asker(self._journal)
        self._concurrency = concurrency
        self._say = say
        self._on_question = on_question
        self._asked: dict[str, int] = {}
        self._feed = f"{self._client.url} {hashlib.sha256(self._client.key.encode()).hexdigest()[:16]}"
        self._stop = threading.Event()
        self._wake = threading.Event()
        # When a group, or a task of `run`, may be tried again.
        self._rests: dict[str, float] = {}

    @property
    def journal(self) -> Journal:
        """Where the paused flows are stored."""
        return self._journal

    def run(self, *, feed: bool = True) -> None:
        """Resume flows until `stop`, then wait for the running ones.

        Without `feed`, only pushed decisions (`accept`) count. Raises Unauthorized and Forbidden.
        """
        self._journal.forget(time.time() - _KEEP_SECONDS)
        failures: list[Exception] = []
        if feed:
            # A daemon: nobody needs to wait for its last long poll.
            threading.Thread(target=self._follow, args=(failures,), name="flow-hitl-feed", daemon=True).start()
        running: dict[str, Future[None]] = {}
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="flow-hitl-resume") as executor:
            while not self._stop.is_set() and not failures:
                self._wake.clear()
                running = {group: future for group, future in running.items() if not future.done()}
                if self._may("ask", _LOOK_SECONDS):
                    self._ask_what_was_not_asked()
                if self._may("strangers", 60):
                    self._name_strangers()
                if self._may("cancelled", _CANCELLED_SECONDS):
                    self._note_cancelled()
                for pauses in self._journal.ready(self._registry.names):
                    group_id = pauses[0].group_id
                    free = group_id not in running and len(running) < self._concurrency
                    if free and self._may(group_id, _LOOK_SECONDS):
                        running[group_id] = executor.submit(self._go_on, pauses)
                send_reports(self._journal, self._client)
                self._wake.wait(_LOOK_SECONDS)
        send_reports(self._journal, self._client)
        if failures:
            raise failures[0]

    def start(self, *, feed: bool = True) -> threading.Thread:
        """Do `run` in its own thread and return that, for a web app that also takes pushes.

        When your app ends, call `stop` and join the thread; otherwise the next resumer runs interrupted flows again
        from their review point.
        """
        thread = threading.Thread(target=self.run, kwargs={"feed": feed}, name="flow-hitl-resumer", daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        """End `run`. A signal handler may call it."""
        self._stop.set()
        self._wake.set()

    def run_once(self) -> int:
        """Resume every flow that can resume now, and return how many; for a scheduler such as cron."""
        self._ask_what_was_not_asked()
        while self._read_feed(wait=0) == _PAGE:
            pass
        self._note_cancelled()
        done: set[str] = set()
        while ready := [one for one in self._journal.ready(self._registry.names) if one[0].group_id not in done]:
            with ThreadPoolExecutor(self._concurrency) as executor:
                list(executor.map(self._go_on, ready))
            done.update(pauses[0].group_id for pauses in ready)
        send_reports(self._journal, self._client)
        return len(done)

    def accept(self, request: Request) -> bool:
        """Take a pushed decision: true if it is stored (the flow resumes soon), false if no flow here waits for it."""
        self._journal.decide([request])
        self._wake.set()
        return self._journal.pause(request["id"]) is not None

    def retry(self, request_id: str | None = None) -> int:
        """Let a request's flow, or every flow, that failed to resume try again; return how many."""
        ids = [request_id] if request_id else [pause.request_id for pause in self._journal.failed()]
        count = sum(self._journal.again(one) for one in ids)
        self._wake.set()
        return count

    def _go_on(self, pauses: list[Pause]) -> None:
        flow, request_id = f"{pauses[0].flow_class} {pauses[0].flow_id}", pauses[0].request_id
        try:
            gone_on = run_coroutine(go_on(self._registry.find(pauses[0].flow_class), pauses, self._inner, self._asker))
        except (Busy, NotPaused) as error:
            _log.debug("flow %s resumes elsewhere: %s", flow, error)
        except FlowHitlClientError as error:
            _log.warning("flow %s cannot resume yet: %s", flow, error)
        except Exception:
            _log.exception("flow %s: the resumer itself failed", flow)
        else:
            why = f": {gone_on.error}" if gone_on.error else ""
            self._say(f"{gone_on.status}: {flow}, request {request_id}{why}")
            self._rests.pop(pauses[0].group_id, None)
            self._wake.set()

    def _may(self, what: str, rest_seconds: float) -> bool:
        """Tell whether it is time for something again; if so, let it rest from now on."""
        now = time.monotonic()
        if self._rests.get(what, now) > now:
            return False
        self._rests[what] = now + rest_seconds
        return True

    def _name_strangers(self) -> None:
        for flow_class in self._journal.strangers(self._registry.names):
            _log.warning("decided flows of %s wait, but the registry does not have that class", flow_class)

    def _note_cancelled(self) -> None:
        """Find out which requests were cancelled: the feed only has decisions."""
        since = self._journal.waiting_since()
        if since is None:
            return
        created_from = datetime.fromtimestamp(since, timezone.utc) - _CLOCKS_DIFFER
        try:
            for request in self._client.iterate_requests(status="cancelled", created_from=created_from, limit=_PAGE):
                if self._journal.cancel(request["id"]):
                    flow = f"{request['flow_name']} {request['flow_id']}"
                    self._say(f"cancelled: {flow}, request {request['id']}: the flow stays paused")
        except FlowHitlClientError as error:
            _log.warning("cannot see which requests were cancelled: %s", error)

    def _ask_what_was_not_asked(self) -> None:
        # Another process may send the same pause; the request's id makes that one request.
        for pause in self._journal.unasked():
            try:
                if self._asker.ask(pause) is None:
                    self._rests["ask"] = time.monotonic() + _LONGEST_PAUSE_SECONDS / 2
                    return
            except FlowHitlClientError as error:
                _log.warning("request %s of flow %s: %s", pause.request_id, pause.flow_id, error)

    def _follow(self, failures: list[Exception]) -> None:
        pause, quiet_since = 1.0, time.monotonic()
        while not self._stop.is_set():
            look = next_look(time.monotonic() - quiet_since)
            if self._stop.wait(look.pause):
                return
            try:
                if self._read_feed(wait=look.wait):
                    quiet_since = time.monotonic()
                pause = 1.0
            except (Unauthorized, Forbidden) as error:
                failures.append(error)
                self._wake.set()
                return
            except FlowHitlClientError as error:
                _log.warning("cannot read the decisions; retrying in %.0f s: %s", pause, error)
                self._stop.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _read_feed(self, *, wait: int) -> int:
        """Take one page of decisions, and of questions if there is a hook, and return how many it had."""
        cursor, wanted = self._journal.cursor(self._feed), self._on_question is not None
        page = self._client.decisions(cursor, limit=_PAGE, wait=wait, questions=wanted)
        questions = page.get("questions", [])
        tries = max((self._reply(request) for request in questions), default=0)
        # A question that could not be answered comes again with its page; what was decided is stored either way.
        onward = cursor if tries else page["cursor"]
        if self._journal.decide(page["decisions"], feed=self._feed, cursor=onward):
            self._wake.set()
        if tries:
            self._stop.wait(2.0**tries)
        return len(page["decisions"]) + len(questions)

    def _reply(self, request: Request) -> int:
        """Have the hook answer a request's question; returns how often that failed, 0 for not to be tried again."""
        question = request["thread"][-1]
        try:
            if self._on_question is not None:
                self._on_question({**request, "question": question})
        except Exception:
            # Whatever it was: the worker has other flows to resume.
            _log.exception("the question about request %s could not be answered", request["id"])
            failed = self._asked.get(question["id"], 0) + 1
            self._asked[question["id"]] = failed
            if failed < _MOST_REPLIES:
                return failed
        self._asked.pop(question["id"], None)
        return 0
