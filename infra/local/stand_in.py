"""Archives that stand for a directory of this machine, so that nobody packs, uploads, or unpacks what is there already.

The emulator's process, which has no package `infra`, reads them by this module too.
"""

import io
import zipfile
from pathlib import Path

_ENTRY = "directory"


def archive_for(directory: Path) -> bytes:
    """Return an archive that holds only where the directory is."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        # Without the present time, equal directories make equal archives.
        archive.writestr(zipfile.ZipInfo(_ENTRY), str(directory.resolve()))
    return written.getvalue()


def directory_of(archive: zipfile.ZipFile) -> Path | None:
    """Return the directory that an archive stands for; None for an ordinary archive."""
    if archive.namelist() != [_ENTRY]:
        return None
    directory = Path(archive.read(_ENTRY).decode())
    return directory if directory.is_dir() else None
