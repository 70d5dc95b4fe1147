"""Writes what the program consists of: sbom.cdx.json (CycloneDX) and THIRD-PARTY.txt, into the folder of metadata.json.

    release/inventory.py TARGET FOLDER
"""

import datetime
import json
import os
import pathlib
import sys
import tomllib
import uuid

NOTICES = ("LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE")
RULE = "=" * 78


def reached(metadata, kinds):
    """The packages that dependencies of these kinds lead to."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    found, to_do = set(), [metadata["resolve"]["root"]]
    while to_do:
        here = to_do.pop()
        if here in found:
            continue
        found.add(here)
        to_do += [edge["pkg"] for edge in nodes[here]["deps"] if any(kind["kind"] in kinds for kind in edge["dep_kinds"])]
    return found


def licence(package):
    # The older form of crates.io.
    return " OR ".join(part.strip() for part in package["license"].split("/"))


def purl(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package, checksums, scope):
    entry = {
        "type": "library",
        "bom-ref": purl(package),
        "name": package["name"],
        "version": package["version"],
        "scope": scope,
        "licenses": [{"expression": licence(package)}],
        "purl": purl(package),
    }
    if checksum := checksums.get((package["name"], package["version"])):
        entry["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package.get("repository"):
        entry["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return entry


def sbom(metadata, target, packages, checksums):
    root = packages[metadata["resolve"]["root"]]
    linked, used = reached(metadata, {None}), reached(metadata, {None, "build"})
    seconds = int(os.environ["SOURCE_DATE_EPOCH"])
    time = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    order = sorted(used, key=lambda name: (packages[name]["name"], packages[name]["version"]))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        # One for each program, the same in each build of it.
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL, f"{purl(root)}?target={target}&time={seconds}").urn,
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application",
                "bom-ref": purl(root),
                "name": root["name"],
                "version": root["version"],
                "description": root["description"],
                "licenses": [{"expression": licence(root)}],
                "purl": purl(root),
                "properties": [{"name": "target", "value": target}],
            },
        },
        # What only a build script needs is no part of the program.
        "components": [
            component(packages[name], checksums, "required" if name in linked else "excluded")
            for name in order
            if packages[name] is not root
        ],
        "dependencies": [
            {
                "ref": purl(packages[name]),
                "dependsOn": sorted(
                    purl(packages[edge["pkg"]])
                    for edge in nodes[name]["deps"]
                    if any(kind["kind"] in {None, "build"} for kind in edge["dep_kinds"])
                ),
            }
            for name in order
        ],
    }


def texts(package):
    """The licences and notices that a package comes with."""
    folder = pathlib.Path(package["manifest_path"]).parent
    files = sorted(file for file in folder.iterdir() if file.is_file() and file.name.upper().startswith(NOTICES))
    if files:
        return [file.read_text(encoding="utf-8").replace("\r\n", "\n").strip() for file in files]
    if "MIT" not in licence(package):
        sys.exit(f"{package['name']} {package['version']} has no text of its licence, {licence(package)}")
    # Some crates name the licence and forget the file.
    return [mit(", ".join(package["authors"]) or f"the authors of {package['name']}")]


def mit(holders):
    file = pathlib.Path(__file__).parent / "licences" / "MIT.txt"
    return file.read_text(encoding="utf-8").replace("{holders}", holders).strip()


def third_party(metadata, target, packages):
    """Each text once, after the names of the packages that come with it."""
    users = {mit("The Rust Project Contributors"): {"the standard library of Rust (MIT OR Apache-2.0)"}}
    if "musl" in target:
        users[mit("2005-2020 Rich Felker, et al.")] = {"musl (MIT)"}
    for name in sorted(reached(metadata, {None}) - {metadata["resolve"]["root"]}):
        package = packages[name]
        for text in texts(package):
            users.setdefault(text, set()).add(f"{package['name']} {package['version']} ({licence(package)})")
    parts = ["ess-callbacks contains the packages below. Each is used under the licence that it names, or one of them."]
    for text, names in sorted(users.items(), key=lambda item: sorted(item[1])):
        parts.append("\n".join([RULE, *sorted(names), RULE, "", text]))
    return "\n\n".join(parts) + "\n"


def main(target, folder):
    folder = pathlib.Path(folder)
    metadata = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    packages = {package["id"]: package for package in metadata["packages"]}
    locked = tomllib.loads(pathlib.Path("Cargo.lock").read_text(encoding="utf-8"))["package"]
    checksums = {(entry["name"], entry["version"]): entry["checksum"] for entry in locked if "checksum" in entry}
    written = json.dumps(sbom(metadata, target, packages, checksums), indent=1, ensure_ascii=False)
    (folder / "sbom.cdx.json").write_text(written + "\n", encoding="utf-8", newline="\n")
    (folder / "THIRD-PARTY.txt").write_text(third_party(metadata, target, packages), encoding="utf-8", newline="\n")


main(*sys.argv[1:])
