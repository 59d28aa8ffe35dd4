"""A reply to an email of the mailbox, as a mail client writes it."""

from email.message import EmailMessage
from email.utils import format_datetime, localtime, make_msgid

from infra.local.mailbox import DeliveredMail, parse


def reply_to(mail: DeliveredMail, sender: str, text: str) -> EmailMessage:
    """Return the sender's reply: to the Reply-To address, in the thread, with the email quoted below."""
    original = parse(mail.raw)
    reply = EmailMessage()
    reply["From"] = sender
    reply["To"] = mail.reply_to
    subject = " ".join(mail.subject.split())
    reply["Subject"] = subject if subject.lower().startswith("re:") else f"Re: {subject}"
    reply["Date"] = format_datetime(localtime())
    reply["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    answered = str(original.get("Message-ID", "")).strip()
    if answered:
        reply["In-Reply-To"] = answered
        earlier = str(original.get("References", "")).split()
        reply["References"] = " ".join([*earlier, answered])
    author = " ".join(str(original.get("From", mail.sender)).split())
    attribution = f"On {mail.date:%a, %d %b %Y at %H:%M}, {author} wrote:"
    quoted = [f"> {line}".rstrip() for line in (mail.body("plain") or "").splitlines()]
    own = "\n".join(line.rstrip() for line in text.splitlines()).rstrip()
    reply.set_content("\n".join([own, "", attribution, "", *quoted]) + "\n")
    return reply
