"""What is kept for the next start is whole, or it is made again; where it lies."""

import os
import sys
import threading
from pathlib import Path

import pytest

from attention_viz.models import cache
from attention_viz.models.cache import cache_root, cached_folder, is_whole


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "there"))
    return tmp_path / "there"


def write(folder):
    (folder / "one").write_text("1")
    (folder / "two").write_text("2")


def test_a_folder_is_made_once(root):
    made = []

    def make(folder):
        made.append(folder)
        write(folder)

    folder = cached_folder("name", make)
    assert folder == cached_folder("name", make) == root / "name"
    assert len(made) == 1 and is_whole(folder) and (folder / "two").read_text() == "2"


def test_what_was_broken_off_is_not_there(root):
    def make(folder):
        write(folder)
        raise RuntimeError("broken off")

    with pytest.raises(RuntimeError, match="broken off"):
        cached_folder("name", make)
    assert not (root / "name").exists() and not list(root.iterdir())


def test_two_at_once_end_with_one_whole_folder(root):
    both = threading.Barrier(2)
    found = []

    def make(folder):
        write(folder)
        both.wait(30)  # both have written before either renames

    def ask():
        found.append(cached_folder("name", make))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [root / "name"] * 2 and is_whole(root / "name")
    assert list(root.iterdir()) == [root / "name"]


@pytest.mark.parametrize("listed", ["", "{}", "[]", '{"one": 3}', '{"missing": "00"}', "null"])
def test_a_list_that_says_nothing_is_not_trusted(root, listed):
    cached_folder("name", write)
    (root / "name" / "checked.json").write_text(listed)
    assert not is_whole(root / "name")
    assert is_whole(cached_folder("name", write))


def test_what_stopped_processes_left_is_removed(root):
    old, new = root / ".unfinished-old", root / ".unfinished-new"
    for folder in (old, new):
        folder.mkdir(parents=True)
        write(folder)
    os.utime(old, (1, 1))
    cached_folder("name", write)
    assert not old.exists() and new.exists(), "somebody may be writing the new one"


def test_where_it_lies(tmp_path, monkeypatch):
    monkeypatch.delenv(cache.VARIABLE, raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_root() == tmp_path / ".cache" / "attention-viz"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_root() == tmp_path / "xdg" / "attention-viz"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert cache_root() == tmp_path / ".cache" / "attention-viz"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_root() == tmp_path / "Library" / "Caches" / "attention-viz"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache_root() == tmp_path / "local" / "attention-viz"


def test_nobodys_home_is_no_place(monkeypatch):
    def none(*_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv(cache.VARIABLE, raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(Path, "home", none)
    assert cache_root() is None and cached_folder("name", write) is None
