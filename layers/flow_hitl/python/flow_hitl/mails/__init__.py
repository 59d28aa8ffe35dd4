"""Email out: what each says, sending it, and who gets none.

rules: attached, contexts, mail_feedback, sending
use cases: kinds.*, mail, registry, request_view, send_mail, send_sign_in_mail, undelivered
edges: mail_account, mail_sender, suppression_list
"""
