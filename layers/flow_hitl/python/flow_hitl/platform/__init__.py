"""What every capability stands on: time, ids, keys, addresses, errors, AWS and outgoing HTTP.

rules: address, cursors, digests, documents, errors, key_ring, no_answer, outgoing_url, packed, product, records,
    repeated_calls, rounds, text, times, tokens, uuids, webhook_signature, worker_times
use cases: once, throttle
edges: aws, aws_errors, call_log, code_folder, dead_letter_counts, dynamodb, environment, http_poster, json_client,
    kms_secret_box, messages, mime, object_client, read_together, secret_key_ring, system_clock, telemetry,
    unreadable
"""
