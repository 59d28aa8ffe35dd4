"""Email in: who sent it, what they wrote, and what becomes of it.

rules: automatic_mail, foreign_text, inbound_mail, marker, reactions, rejections, reply, reply_frame, reply_phrases,
    ruling
use cases: accept_reply
edges: discard_log, html_reply, mail_bucket, mailbox
"""
