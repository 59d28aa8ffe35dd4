"""A deployment: its settings, rules, keys, members and quotas, and how they change.

rules: access_documents, answers, conditions, configuration_documents, deployment, quotas, resume_secret, settings
use cases: change_configuration, count_usage, manage_deployments, manage_signing_keys
edges: deployment_store, key_uses, usage_log
"""
