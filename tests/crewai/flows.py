# mypy: disable-error-code="import-not-found, misc, untyped-decorator, no-any-return, type-arg"
"""The flows that the tests run. What their listeners hear is in `heard`."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from crewai.flow.flow import Flow, and_, listen, or_, router, start
from crewai.flow.human_feedback import HumanFeedbackResult, human_feedback
from crewai.llms.base_llm import BaseLLM
from pydantic import BaseModel

import flow_hitl_client.crewai as hitl
from flow_hitl_client import Client

# Before the classes, as crewai 1.8 refuses `emit` without `llm` where nobody has installed us.
hitl.install(client=Client("http://127.0.0.1:9", "hitl_none"))

heard: list[Any] = []
broken: list[Exception] = []
model_says: list[str | Exception] = []
when_published: list[Callable[[], None]] = []


class State(BaseModel):
    id: str = ""
    customer: str = "ACME"
    ratio: float = float("nan")
    rounds: int = 0


class Article(BaseModel):
    title: str


class ReviewFlow(Flow[State]):
    @start()
    @human_feedback(message="Good?", emit=["approved", "rejected"], metadata={"team": "brand"})
    def review(self) -> Any:
        self.state.rounds += 1
        return Article(title="Draft")

    @listen("approved")
    def publish(self, result: HumanFeedbackResult) -> str:
        heard.append(("publish", result))
        for happens in when_published:
            happens()
        return "published"

    @listen("rejected")
    def archive(self, result: HumanFeedbackResult) -> str:
        heard.append(("archive", result))
        self.state.customer = "somebody else"
        if broken:
            raise broken[0]
        return "archived"


class PaymentFlow(Flow):
    """Whoever pays wants to prove that this was approved."""

    @start()
    @human_feedback(
        message="Pay?",
        emit=["approved", "rejected"],
        metadata={"team": "finance", "hitl": {"receipt": True, "approval_ttl_minutes": 60}},
    )
    def review(self) -> Any:
        return {"amount": 4711}

    @listen("approved")
    def pay(self, result: HumanFeedbackResult) -> str:
        heard.append(("pay", result))
        return "paid"


class Payment(BaseModel):
    """What whoever approves an invoice fills in."""

    cost_center: str
    urgent: bool = False


class InvoiceFlow(Flow):
    """An invoice that may be corrected, with a typed answer."""

    @start()
    @human_feedback(
        message="Pay?",
        emit=["approved", "rejected"],
        metadata=hitl.review(editable=True, response_schema=Payment, team="finance"),
    )
    def review(self) -> Any:
        return {"amount": 4711}

    @listen("approved")
    def pay(self, result: HumanFeedbackResult) -> str:
        heard.append(("pay", result))
        return "paid"


class MistakenFlow(Flow):
    """It asks for what does not exist."""

    @start()
    @human_feedback(message="Pay?", metadata={"hitl": {"reciept": True}})
    def review(self) -> str:
        return "Draft"


class OpinionFlow(Flow):
    @start()
    @human_feedback(message="What do you think?")
    def opinion(self) -> str:
        return "Draft"

    @listen(opinion)
    def note(self, result: HumanFeedbackResult) -> str:
        heard.append(("note", result))
        return f"noted: {result.feedback}"


class RevisionFlow(Flow[State]):
    """Its review point is shown what was revised, as often as the person wants."""

    @start()
    def write(self) -> str:
        return "Draft 0"

    @human_feedback(message="Good?", emit=["approved", "needs_revision"])
    @listen(or_("write", "needs_revision"))
    def review(self) -> str:
        self.state.rounds += 1
        return f"Draft {self.state.rounds}"

    @listen("approved")
    def publish(self, result: HumanFeedbackResult) -> str:
        heard.append(("publish", result))
        return f"published after {self.state.rounds} rounds"


class ParallelFlow(Flow):
    """Two reviews at once, beside work that takes longer, and all three joined."""

    @start()
    @human_feedback(message="Legal?")
    def legal(self) -> str:
        return "Terms"

    @start()
    @human_feedback(message="Brand?")
    def brand(self) -> str:
        return "Copy"

    @start()
    def slow(self) -> str:
        time.sleep(0.1)
        return "slow"

    @listen(slow)
    def slower(self) -> str:
        self.state["worked"] = True
        return "slower"

    @listen(and_(legal, brand, slower))
    def join(self) -> str:
        heard.append(("join", dict(self.state.items()) if isinstance(self.state, dict) else self.state["worked"]))
        return "joined"


class ParallelChoices(Flow):
    """Two reviews at once, each with its own options and listener."""

    @start()
    @human_feedback(message="Legal?", emit=["legal_ok", "legal_bad"])
    def legal(self) -> str:
        return "Terms"

    @start()
    @human_feedback(message="Brand?", emit=["brand_ok", "brand_bad"])
    def brand(self) -> str:
        return "Copy"

    @listen("legal_ok")
    def after_legal(self, result: HumanFeedbackResult) -> str:
        heard.append(("after_legal", result))
        return "legal"

    @listen("brand_bad")
    def after_brand(self, result: HumanFeedbackResult) -> str:
        heard.append(("after_brand", result))
        return "brand"


class AsyncFlow(Flow):
    """Its methods are coroutines."""

    @start()
    @human_feedback(message="Good?", emit=["approved", "rejected"])
    async def review(self) -> str:
        return "Draft"

    @listen("rejected")
    async def archive(self, result: HumanFeedbackResult) -> str:
        heard.append(("archive", result))
        return "archived"


class PreparedFlow(Flow):
    """It works before it asks, in methods of both kinds, some of them more than once."""

    @start()
    def fetch(self) -> Any:
        return Article(title="Raw")

    @listen(fetch)
    async def enrich(self, _before: Any) -> dict[str, Any]:
        return {"words": 120, "by": {"crew"}}

    @router(or_("enrich", "once_more"))
    def enough(self) -> str:
        self.state["times"] = self.state.get("times", 0) + 1
        return "once_more" if self.state["times"] < 2 else "ready"

    @human_feedback(message="Good?", emit=["approved", "rejected"])
    @listen("ready")
    def review(self) -> str:
        return "Draft"

    @listen("approved")
    def polish(self, _before: Any) -> Iterator[str]:
        return iter(["one", "two"])

    @human_feedback(message="And now?")
    @listen(polish)
    def last_look(self, parts: Iterator[str]) -> str:
        return " ".join(parts)


class LoudFlow(Flow):
    """Its outputs are too much for a person."""

    @start()
    def write(self) -> str:
        return "ä" * 53_211

    @router(or_("write", "again"))
    def on(self) -> str:
        self.state["n"] = self.state.get("n", 0) + 1
        return "check" if self.state["n"] < 60 else "done"

    # Two by turns, as crewai from 1.10 on ends a flow that calls one method more than 100 times.
    @router("check")
    def back(self) -> str:
        return "again"

    @human_feedback(message="Good?")
    @listen("done")
    def review(self) -> str:
        return "Draft"


class Unwilling:
    def __str__(self) -> str:
        raise RuntimeError("no")


class Model(BaseLLM):
    """An LLM that says what it is told to."""

    def __init__(self) -> None:
        super().__init__(model="stub")

    def call(self, *_arguments: Any, **_options: Any) -> str:
        said = model_says.pop(0)
        if isinstance(said, Exception):
            model_says.insert(0, said)
            raise said
        return said


class ModelFlow(Flow):
    """Its author has named an LLM."""

    @start()
    @human_feedback(message="Good?", emit=["approved", "rejected"], llm=Model())
    def review(self) -> str:
        return "Draft"

    @listen("approved")
    def publish(self, result: HumanFeedbackResult) -> str:
        heard.append(("publish", result))
        return "published"

    @listen("rejected")
    def archive(self, result: HumanFeedbackResult) -> str:
        heard.append(("archive", result))
        return "archived"


registry = hitl.Registry(
    ReviewFlow,
    InvoiceFlow,
    PaymentFlow,
    OpinionFlow,
    RevisionFlow,
    ParallelFlow,
    ParallelChoices,
    AsyncFlow,
    PreparedFlow,
    LoudFlow,
    ModelFlow,
)
