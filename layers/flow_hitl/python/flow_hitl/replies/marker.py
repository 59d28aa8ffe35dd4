"""What our emails say above their text, and replies are read down to."""

REPLY_MARKER = "-- reply above this line --"
"""The line at the top of our emails; nothing below it is read unless quoted with `>`."""

PREVIEW_SIGN = "\u200b\u200c\u200b\u200c"
"""Invisible characters at the very start of our emails, above the marker, where inboxes take their preview from."""
