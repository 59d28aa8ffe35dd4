"""The processes of a local stack, and their memory."""

import re
import subprocess
from pathlib import Path

from tests.e2e.local_client import eventually


def emulator_of(process: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> int:
    """Return the process id of the emulator, once it has been started."""
    found: list[int] = []

    def started() -> bool:
        assert process.poll() is None, "the stack has ended"
        listed = subprocess.run(
            ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
        )
        for line in listed.stdout.splitlines():
            pid, parent, command = line.split(None, 2)
            if int(parent) == process.pid and "emulator_process.py" in command:
                found.append(int(pid))
        return bool(found)

    eventually(started, "the emulator")
    return found[0]


def processes_of(group: int) -> dict[int, str]:
    """Return the names of the processes that an emulator has started, by their ids."""
    listed = subprocess.run(["ps", "-A", "-o", "pgid=,pid=,comm="], capture_output=True, text=True, check=True)
    found = (line.split(None, 2) for line in listed.stdout.splitlines())
    return {int(pid): name for its_group, pid, name in found if int(its_group) == group != int(pid)}


def mebibytes(pids: list[int]) -> float:
    """Return the memory of processes; what several share counts once."""
    shares = (re.search(r"(?m)^Pss: +(\d+) kB$", Path(f"/proc/{pid}/smaps_rollup").read_text()) for pid in pids)
    return sum(int(share[1]) for share in shares if share) / 1024


def idle_mebibytes(process: "subprocess.Popen[bytes]") -> float:
    """Return the memory of a stack that was started as this process, with all that it has started."""
    emulator = emulator_of(process)
    return mebibytes([process.pid, emulator, *processes_of(emulator)])
