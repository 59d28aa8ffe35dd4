"""Emails and pages from templates, with markdown, JSON, and code made safe to show.

rules: rendered
edges: assets, code, earlier_rounds, json_mail, json_tree, markdown, rendering
"""
