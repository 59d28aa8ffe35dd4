"""What emails and review pages show of a request, and what all emails of one kind share."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING

from flow_hitl.contract.shapes import Channel
from flow_hitl.deployments.deployment import FreeText
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.request import Attachment, HistoryRound, Remark
from flow_hitl.requests.wording import OptionTone


@dataclass(frozen=True, kw_only=True)
class OptionView:
    """An option as its button shows it; `number` is its place among the request's options, from 1."""

    value: str
    number: int
    label: str
    hint: str | None = None
    tone: OptionTone = OptionTone.NEUTRAL
    needs_comment: bool = False


if TYPE_CHECKING:
    from flow_hitl.requests.deciding.typed_answers import AnswerField
    from flow_hitl.requests.reading.earlier_reviews import EarlierReview


@dataclass(frozen=True, kw_only=True)
class FileView:
    """An attachment: one with `shows` is an image at its `url`, any other is linked. `size` is in words.

    A page may also show it in a `frame`, an address.
    """

    name: str
    size: str
    url: str
    shows: bool
    frame: str | None = None


@dataclass(frozen=True, kw_only=True)
class RequestView:
    """A request as its responder sees it.

    `output` is Markdown, other JSON, or None. `assigned_why` completes "You were asked because …", without a period;
    `deadline_text` is a full sentence, `due_at` the end of the SLA. The reply address and review link expire at
    `answer_until`. `may_pass_on`: they may delegate the request. `test`: no flow is waiting. `fields` are those of the
    typed answer that is asked for. `editable`: the answer may change the output. `may_ask`: they may ask the flow
    back, and `thread` is what was asked and answered. `earlier` are earlier rounds, newest first; the flow's own
    `history` may tell of the same.
    """

    deployment_name: str
    flow_name: str
    method_name: str
    title: str
    message: str
    output: object
    options: Sequence[OptionView]
    free_text: FreeText
    state: Mapping[str, object]
    history: Sequence[HistoryRound]
    assigned_to: str
    assigned_why: str
    deadline_text: str | None
    answer_until: datetime
    due_at: datetime | None = None
    may_pass_on: bool = False
    test: bool = False
    metadata: Mapping[str, object] = field(default_factory=dict)
    fields: "Sequence[AnswerField]" = ()
    editable: bool = False
    may_ask: bool = False
    thread: Sequence[Remark] = ()
    attachments: Sequence[Attachment] = ()
    earlier: "Sequence[EarlierReview]" = ()

    @property
    def field_lines(self) -> str:
        """The typed answer's lines as an email is to have them below its first line, with the defaults."""
        return field_lines(self.fields)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The answer that counts; without an outcome, it is the free text `feedback`.

    `label` is how the outcome reads. `by` is the group member who answered, if proven. `values` is the typed answer:
    titles, and values in words. `edited`: the output was changed.
    """

    outcome: str | None
    label: str | None
    via: Channel
    at: datetime
    feedback: str = ""
    comment: str = ""
    by: str | None = None
    values: Sequence[tuple[str, str]] = ()
    edited: bool = False


def field_lines(fields: "Sequence[AnswerField]") -> str:
    """Return one line for each field: its name and its default."""
    return "\n".join(f"{one.name}: {' '.join(one.default_text.split())}" for one in fields)


@dataclass(frozen=True, kw_only=True)
class AskingContext:
    """An email that asks: the request, its reply address, and its review link.

    `files` are its attachments, of which the email itself carries the `images`.
    """

    request: RequestView
    reply_to: str
    review_url: str
    files: Sequence[FileView] = ()
    images: Sequence[Attachment] = ()

    @property
    def test(self) -> bool:
        return self.request.test


@dataclass(frozen=True, kw_only=True)
class TellingContext:
    """An email that informs; `reply_to` is set if an answer can still help."""

    flow_name: str
    method_name: str
    title: str
    message: str
    test: bool = False
    reply_to: str | None = None
