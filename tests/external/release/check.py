"""Checks a program's list of dependencies, its SBOM and the schema of that.

    tests/external/release/check.py PROGRAM SBOM
"""

import json
import pathlib
import struct
import sys
import zlib

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def section(program, wanted):
    """A section of a 64-bit ELF file."""
    offset, size, count, names = struct.unpack_from("<40xQ10xHHH", program)
    headers = [struct.unpack_from("<II8xQQQ", program, offset + size * number) for number in range(count)]
    for name, _, _, start, length in headers:
        start_of_name = headers[names][3] + name
        if program[start_of_name : program.index(b"\0", start_of_name)].decode() == wanted:
            return program[start : start + length]
    sys.exit(f"the program has no section {wanted}")


def main(program, sbom):
    text = pathlib.Path(sbom).read_text(encoding="utf-8")
    if problem := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        sys.exit(f"{sbom}: {problem}")
    sbom = json.loads(text)
    listed = json.loads(zlib.decompress(section(pathlib.Path(program).read_bytes(), ".dep-v0")))["packages"]
    in_program = {(entry["name"], entry["version"]) for entry in listed if entry.get("kind") != "build"}
    root = sbom["metadata"]["component"]
    in_sbom = {(entry["name"], entry["version"]) for entry in sbom["components"] if entry["scope"] == "required"}
    in_sbom.add((root["name"], root["version"]))
    # A procedural macro, and what it needs, is a dependency like others for Cargo, but runs only in the build.
    if missing := in_program - in_sbom:
        sys.exit(f"not in the SBOM: {sorted(missing)}")
    unlisted = in_sbom - {(entry["name"], entry["version"]) for entry in listed}
    if unlisted:
        sys.exit(f"not listed in the program: {sorted(unlisted)}")
    print(f"{len(in_program)} packages in the program, {len(in_sbom)} in the SBOM")


main(*sys.argv[1:])
