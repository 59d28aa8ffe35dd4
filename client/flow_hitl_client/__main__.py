"""`python -m flow_hitl_client`: the command, where it is not on the PATH."""

import sys

from flow_hitl_client.cli import main

sys.exit(main())
