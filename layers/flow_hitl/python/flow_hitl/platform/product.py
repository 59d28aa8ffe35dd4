"""What the product is called wherever people see it."""

PRODUCT_NAME = "Flow HITL"
"""The name by which our mails say who sent them, and so the name in what mail clients write above a quote of one."""
