"""Why has nothing happened?

rules: diagnosis, findings, flow_findings, mail_findings, reply_findings
use cases: diagnose
"""
