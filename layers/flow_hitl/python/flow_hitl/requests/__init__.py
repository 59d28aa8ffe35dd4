"""A request from opening to decision: routing, deciding, changing, reading, and listing.

rules: answers, attachments, bound, changing.delegation, changing.erasure, changing.reminders, deciding.edits,
    deciding.matching, deciding.openings, deciding.questions, deciding.reply_address, deciding.typed_answers,
    deciding.web_tokens, evidence, opening.attached_files, opening.routing, reading.decision_feed,
    reading.earlier_reviews, reading.list_rows, reading.polling, reading.search_text, request, wording
use cases: changing.change_request, changing.delegate, changing.reassign_request, changing.remind,
    deciding.answer_addresses, deciding.ask_back, deciding.auto_respond, deciding.record_response,
    opening.configuration_warnings, opening.dry_run, opening.open_request, opening.send_test_request,
    reading.attachments, reading.keep_search, reading.list_requests, reading.read_as_logged,
    reading.read_earlier_rounds, reading.read_requests, reading.search_requests
edges: store.attachment_store, store.deadlines, store.decision_entries, store.poll_log, store.request_index,
    store.request_rows, store.request_store, store.search_log
"""
