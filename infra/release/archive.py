"""Archives whose bytes depend on nothing but what is in them."""

import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

_FILE = 0o100644


def write_zip(target: Path, directory: Path, epoch: int) -> None:
    """Write a directory's files into a .zip: sorted, all of one time and one mode, without entries for folders."""
    files = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*") if path.is_file()}
    write_files(target, {name: path.read_bytes() for name, path in files.items()}, epoch)


def write_files(target: Path, files: Mapping[str, bytes], epoch: int) -> None:
    """Write files by their names in the archive."""
    moment = time.gmtime(epoch)[:6]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, moment)
            entry.external_attr, entry.compress_type, entry.create_system = _FILE << 16, zipfile.ZIP_DEFLATED, 3
            archive.writestr(entry, content)
