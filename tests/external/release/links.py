"""Checks that the links of the pages in an archive lead to files in it or, at an address, in this repository.

    tests/external/release/links.py FOLDER FILES    FILES is the address of the repository's files
"""

import pathlib
import sys

root = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(root / "release"))
import links  # noqa: E402


def main(folder, files):
    folder = pathlib.Path(folder)
    pages = ["README.md", "README.zh-CN.md"]
    for page in pages:
        text = (folder / page).read_text(encoding="utf-8")
        targets = [target.partition("#")[0] for _, target in links.LINK.findall(text)]
        away = [target.removeprefix(files) for target in targets if target.startswith(files)]
        beside = [target for target in targets if target and "://" not in target]
        broken = [path for path in away if not (root / path).exists()]
        broken += [path for path in beside if not (folder / path).exists()]
        if broken or not away or not beside:
            sys.exit(f"{page}: links to nothing: {broken}; {len(away)} to the repository, {len(beside)} in the archive")
        # Without an address, only links to what is in the archive remain.
        alone = links.elsewhere((root / page).read_text(encoding="utf-8"), pages + ["LICENSE"])
        left = {target for _, target in links.LINK.findall(alone) if "://" not in target and target[0] != "#"}
        if left != set(beside):
            sys.exit(f"{page}: without an address it links to {sorted(left)}")


main(*sys.argv[1:])
