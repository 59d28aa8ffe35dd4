"""Where the files are that the functions show: `templates/` and `docs/`."""

import os
from pathlib import Path


def code_folder() -> Path:
    """Return the folder of both: Lambda's code; in the wheel the package of the functions; else the repository."""
    if root := os.environ.get("LAMBDA_TASK_ROOT"):
        return Path(root)
    beside = Path(__file__).parents[2]
    installed = beside / "flow_hitl_functions"
    return installed if installed.is_dir() else beside.parents[2]
