"""What the fields of request bodies mean, where no answer has a field of that name to say it."""

DESCRIBED_BY: dict[str, str] = {
    "NewRequest": "Request",
    "HistoryEntry": "HistoryRound",
    "AutoResponseWish": "DueAutoResponse",
    "Reassignment": "Request",
    "DryRun": "Request",
    "NewWebhook": "Webhook",
    "WebhookPatch": "Webhook",
    "GroupFigures": "Figures",
    "ReviewTypeFigures": "Figures",
}
"""Which answer describes the fields of a body, or of an answer that has more; by their names in the description."""

FIELDS: dict[str, dict[str, str]] = {
    "NewRequest": {
        "id": "A UUID of your own. The call may then be repeated: the same body gets the same request.",
        "resume_url": "Where the answer is to be POSTed to. HTTPS at port 443, unless the operator allows more.",
        "auto_response": "What the clock answers; null for never. Left out, the rule's or the deployment's holds.",
        "sla_target_minutes": "Minutes for an answer that is on time. Left out, the rule's or the deployment's holds.",
        "free_text": "What happens to an answer that is no emit option. Left out, the deployment's setting holds.",
        "assigned_to_email": "Who is asked, a mail address or `group:<name>`. Left out, the routing rules choose.",
    },
    "ResumeReport": {
        "status": "How the flow went on.",
        "detail": "More about it, for the timeline.",
        "once": "With `resumed`: claims the resumption, before the flow goes on.",
    },
    "NewTestRequest": {"to": "Who gets the test: a mail address, or `group:<name>`."},
    "CallbackAnswer": {
        "feedback": "What the person said. The first line is the feedback, the rest the comment.",
        "source": "Your application's own label.",
        "outcome": "One of the emit options. Left out, the first line of `feedback` is compared with them.",
        "responder": "Who answered. It is stored as claimed, never as verified.",
    },
    "ExportWish": {
        "from": "The beginning of the time to export. Left out, the first day of the log.",
        "to": "Its end, which is not part of it. Left out, now.",
        "format": "The format of the events.",
    },
    "Rotation": {"signs_from": "From when on the new secret signs, at most 30 days ahead. Left out, at once."},
}
