"""Files that are whole and on disk when a function returns: what the journal speaks of must outlive a power cut.

That is kept for local folders: a file is forced to disk under a name that nobody reads, takes its own name at once, and the folder is
forced to disk as well. Any other store is taken for an object store, which shows an object whole or not at all, and says when it has it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

UNFINISHED = ".part"


def put(fs: Any, path: str, content: bytes) -> None:
    """Writes a file, in place of one that is there: a kill leaves the old content or the new."""
    if not isinstance(fs, LocalFileSystem):
        fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        fs.pipe_file(path, content)
        return
    target = Path(path)
    _make(target.parent)
    # two processes may keep the same bytes at once
    part = target.with_name(f"{target.name}.{os.getpid()}{UNFINISHED}")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except OSError:  # a full disk stays full of what nobody reads
        part.unlink(missing_ok=True)
        raise
    force(target.parent)


def put_folder(fs: Any, path: str, files: dict[str, bytes]) -> None:
    """Writes a new folder with these files by name: on a local disk all of them or none."""
    unfinished = f"{path}{UNFINISHED}"
    for name, content in files.items():
        put(fs, f"{unfinished}/{name}", content)
    if isinstance(fs, LocalFileSystem):
        Path(unfinished).rename(path)
        force(Path(path).parent)
    else:
        fs.mv(unfinished, path, recursive=True)


def sync(fs: Any, path: str) -> None:
    """Forces a file to disk that is there already: who wrote it may have been killed before he did."""
    if isinstance(fs, LocalFileSystem):
        force(Path(path))
        force(Path(path).parent)


def _make(folder: Path) -> None:
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        force(folder.parent)


def force(path: Path) -> None:
    """Forces a file's content, or a folder's names, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
