"""What people see: views, forms and words of each page.

rules: analytics.charts, analytics.view, audit.view, contexts, guide.contents, requests.actions,
    requests.answer_form, requests.changes, requests.edit_layout, requests.files, requests.form_field,
    requests.review_contexts, requests.timeline, settings.change_lines, settings.view
use cases: access.pages, audit.pages, evidence, requests.answer_many, requests.overview, requests.pages,
    requests.review_page, rules.forms, rules.pages, settings.edit_by_form, settings.forms, settings.pages,
    webhooks.pages
edges: guide.guide
"""
