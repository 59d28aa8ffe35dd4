"""How long to wait: on a slow machine, too, only a hang reaches these limits."""

# One step: a call, a start, an email.
HANG_SECONDS = 300.0
# All steps of a start, including the first synthesis.
START_SECONDS = 3600.0
# Between two lines of progress.
TOLD_SECONDS = 15.0
