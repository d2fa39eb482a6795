"""The environment's digest."""

from __future__ import annotations

from pathlib import Path

import pytest

from backtest.gate.freeze import installed_packages

LOCK = {"alpha": "1.0"}


def distribution(site: Path, name: str, version: str, files: dict[str, str]) -> None:
    """Install ``files`` as pip would, RECORD and all."""
    info = f"{name}-{version}.dist-info"
    notes = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/INSTALLER": "pip",
    }
    for path, text in {**files, **notes}.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text)
    (site / info / "RECORD").write_text("".join(f"{path},,\n" for path in [*files, *notes, f"{info}/RECORD"]))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    distribution(tmp_path, "alpha", "1.0", {"alpha/__init__.py": "A = 1\n", "alpha/data.bin": "x"})
    return tmp_path


def env_hash(site: Path) -> str:
    return installed_packages.measure(LOCK, {}, site).env_hash


def test_the_digest_is_the_same_twice_and_ignores_compiled_files_and_the_installers_notes(site: Path) -> None:
    """Pip and uv, first and second import: one digest.  [audit 9.4]"""
    before = env_hash(site)
    (site / "alpha" / "__pycache__").mkdir()
    (site / "alpha" / "__pycache__" / "x.pyc").write_text("compiled")
    (site / "alpha-1.0.dist-info" / "INSTALLER").write_text("uv")

    assert before == env_hash(site)
    assert installed_packages.measure(LOCK, {}, site).loose == ()


@pytest.mark.parametrize("change", ["edited", "missing", "renamed version"])
def test_an_edited_installed_file_is_seen(site: Path, change: str) -> None:
    """Same name, same version, other bytes: another environment."""
    before = env_hash(site)
    if change == "edited":
        (site / "alpha" / "__init__.py").write_text("A = 2\n")
    elif change == "missing":
        (site / "alpha" / "data.bin").unlink()
    else:
        path = site / "alpha-1.0.dist-info" / "METADATA"
        path.write_text(path.read_text().replace("Version: 1.0", "Version: 1.1"))

    assert before != env_hash(site)


def test_the_digest_of_the_specification_by_hand(site: Path) -> None:
    """Sorted lines "<sha256> <path>" of the recorded files, computed here from the text of the rule."""
    from hashlib import sha256

    names = ["alpha/__init__.py", "alpha/data.bin", "alpha-1.0.dist-info/METADATA"]
    lines = sorted(f"{sha256((site / name).read_bytes()).hexdigest()} {name}\n" for name in names)
    digest = sha256("".join(lines).encode()).hexdigest()
    expected = sha256(b"cme-audit/1/env\0" + f"alpha==1.0 {digest}\n".encode()).hexdigest()

    assert expected == env_hash(site)


def test_what_could_run_unseen_is_listed(site: Path) -> None:
    """A start-up file of nobody, a module of nobody; a tool of the tests' lock is neither, its start-up file is."""
    distribution(site, "tool", "2.0", {"tool.py": "", "tool.pth": "import tool\n"})
    (site / "evil.pth").write_text("import os\n")
    (site / "shadow.py").write_text("")
    found = installed_packages.measure(LOCK, {"tool": "2.0"}, site)

    assert list(found.distributions) == ["alpha"]
    assert sorted(text.split(" ")[0] for text in found.loose) == ["evil.pth", "shadow.py", "tool.pth"]
    assert installed_packages.measure(LOCK, {}, site).foreign == ("tool 2.0",)


def editable(site: Path, root: str, more: str = "") -> Path:
    """Install us as an editable build does: a start-up file, and the module it imports."""
    finder = f"MAPPING = {{'engine': '{root}/engine'}}\n{more}"
    distribution(site, "cme-perps", "0.2.0", {"__editable__.pth": "import finder\n", "finder.py": finder})
    info = site / "cme-perps-0.2.0.dist-info"
    (info / "direct_url.json").write_text(f'{{"dir_info": {{"editable": true}}, "url": "file://{root}"}}')
    return site


def test_our_own_start_up_counts_wherever_the_checkout_lies(site: Path) -> None:
    """It runs before any check of ours: a line more is another environment, another folder is not.  [audit 9.6]"""
    before = env_hash(editable(site, "/home/a"))
    assert before == env_hash(editable(site, "/srv/b"))
    assert installed_packages.measure(LOCK, {}, site).loose == ()
    assert before != env_hash(editable(site, "/home/a", "import os\n"))
    editable(site, "/home/a")
    (site / "__editable__.pth").write_text("import finder; import os\n")
    assert before != env_hash(site)


def test_a_folder_that_is_no_plain_path_hides_no_change(site: Path) -> None:
    """Written as <checkout>, a "folder" of code would be the folder again."""
    before = env_hash(editable(site, "/home/a"))
    assert before != env_hash(editable(site, "/home/a', 'x': __import__('os'), 'y': '/b"))


def test_a_start_up_file_that_came_with_the_interpreter_counts(site: Path, tmp_path: Path) -> None:
    """Debian ships a sitecustomize in its library: it is in the digest, an edited one is another environment."""
    library = tmp_path / "lib"
    library.mkdir()
    found = [installed_packages.measure(LOCK, {}, site, library).env_hash]
    for text in ("", "import os\n"):
        (library / "sitecustomize.py").write_text(text)
        found.append(installed_packages.measure(LOCK, {}, site, library).env_hash)

    assert found[0] == env_hash(site)
    assert len(set(found)) == 3
