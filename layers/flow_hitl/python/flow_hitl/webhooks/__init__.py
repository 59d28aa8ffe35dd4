"""Other applications that hear of requests and can answer them.

rules: answers, webhook
use cases: answer_by_callback, ask_by_callback, manage_webhooks, send_webhook, show_content
edges: delivery_queue, webhook_store
"""
