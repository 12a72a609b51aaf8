"""Folders kept for the next start, in the user's cache: whole and unchanged, or made again.

A folder is written under another name and renamed when it is finished, so that two processes may
make the same one at once. A list of SHA-256 sums lies in it; one that does not agree with its list
is not trusted. All of the cache may be deleted at any time.
"""

import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

VARIABLE = "ATTENTION_VIZ_CACHE"  # environment: another place for the cache
_LIST = "checked.json"
_ABANDONED = 3600.0  # seconds after which an unfinished folder is nobody's any more

Report = Callable[[str], None]


def cache_root() -> Path | None:
    """Where this user's caches are; None where there is no such place."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    try:
        return _platform_cache() / "attention-viz"
    except RuntimeError:  # nobody's home
        return None


def _platform_cache() -> Path:
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return Path(local) if local else Path.home() / "AppData" / "Local"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    # The specification: a path that is not absolute is to be ignored.
    return Path(chosen) if os.path.isabs(chosen) else Path.home() / ".cache"


def cached_folder(
    name: str, make: Callable[[Path], None], *, report: Report = lambda text: None
) -> Path | None:
    """The folder of that name, made by `make(empty folder)` where it is missing or damaged.

    None where it can't be kept: no such place, no right to write, no room. What `make` raises
    beside OSError comes through.
    """
    root = cache_root()
    if root is None:
        return None
    folder = root / name
    report("checking the weights kept from last time")
    if is_whole(folder):
        return folder
    try:
        return _make(root, folder, make)
    except OSError as error:
        report(f"can't keep the weights for the next start ({error.strerror or error})")
        return None


def is_whole(folder: Path) -> bool:
    """Whether the folder has every file of its list, each as it was written."""
    try:
        listed = json.loads((folder / _LIST).read_text())
        return bool(listed) and all(sha256(folder / name) == sum for name, sum in listed.items())
    except (OSError, ValueError, TypeError, AttributeError):
        return False


def sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _make(root: Path, folder: Path, make: Callable[[Path], None]) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    _sweep(root)
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=root))
    try:
        make(unfinished)
        sums = {each.name: sha256(each) for each in sorted(unfinished.iterdir())}
        (unfinished / _LIST).write_text(json.dumps(sums, indent=1))
        _put(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _put(finished: Path, folder: Path) -> None:
    """Rename; where somebody else was faster, theirs stays, unless it is damaged."""
    try:
        finished.rename(folder)
    except OSError:
        if is_whole(folder):
            return
        aside = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder.parent))
        folder.rename(aside / "damaged")
        finished.rename(folder)
        shutil.rmtree(aside, ignore_errors=True)


def _sweep(root: Path) -> None:
    """Remove what processes that were stopped have left behind."""
    for left in root.glob(".unfinished-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _ABANDONED:
                shutil.rmtree(left, ignore_errors=True)
