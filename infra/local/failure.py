"""What stops the local stack."""


class StackFailed(Exception):
    """A part of the local stack did not start or has stopped; the message is shown as it is."""
