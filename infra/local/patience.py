"""How long to wait for what should come. A machine may be slow, so only a hang reaches these limits."""

# One step: a call, a start, a mail.
HANG_SECONDS = 300.0
# All steps of a start, the first synthesis of the stack among them.
START_SECONDS = 3600.0
# Between two lines of progress.
TOLD_SECONDS = 15.0
