"""Who is calling, who is looking, and what they may do.

rules: access, names, sign_in_rules, sign_in_tokens
use cases: authenticate, sign_in, signed_in
edges: sign_in_queue, sign_in_store
"""
