"""Hooks of the site: pages that lie elsewhere in the repository, and links to what is not on the site."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Any

from mkdocs.structure.files import File

sys.path.append(str(Path(__file__).parent))
import live  # beside this file, which mkdocs loads by its path
import samples

ROOT = Path(__file__).parent.parent.parent
REPOSITORY = "https://github.com/recodec/recodec/blob/main"
ELSEWHERE = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "security.md": "SECURITY.md",
    "changelog.md": "CHANGELOG.md",
    "model.md": "src/recodec/weights/README.md",
    "javascript.md": "js/README.md",
}
_LINK = re.compile(r"(\]\()([^)#\s:]+)((?:#[^)\s]*)?\))")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that lie outside the folder of the docs, and those that are made now."""
    text, found = samples.make()
    files.append(File.generated(config, "samples.md", content=text))
    for sample in found:
        files.append(File.generated(config, f"samples/{sample.name}", content=sample.flac))
    text, by_name = live.make()
    files.append(File.generated(config, "live.md", content=text))
    for name, content in by_name.items():
        files.append(File.generated(config, f"live/{name}", content=content))
    for page, source in ELSEWHERE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        if text.startswith("---\n"):  # the head of a model card, for the hub
            text = text.split("---\n", 2)[2]
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Point links to pages of the site where there is one, else to the repository."""
    here = ELSEWHERE.get(page.file.src_uri, join("docs", page.file.src_uri))
    pages = {source: name for name, source in ELSEWHERE.items()}

    def mended(found: re.Match[str]) -> str:
        target = normpath(join(dirname(here), found[2]))
        name = pages.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else None)
        if name is not None and files.get_file_from_path(name) is not None:
            up = "../" * page.file.src_uri.count("/")
            return f"{found[1]}{up}{name}{found[3]}"
        return f"{found[1]}{REPOSITORY}/{target}{found[3]}"

    return _LINK.sub(mended, markdown)
