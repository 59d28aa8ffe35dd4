"""Emails and pages from templates, with markdown, JSON, and code made safe to show.

rules: rendered
edges: assets, code, json_tree, markdown, rendering
"""
