"""Why has nothing happened?

rules: findings, flow_findings, mail_findings, reply_findings
use cases: diagnose
"""
