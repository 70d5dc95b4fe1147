"""Prints the items that the documentation of the library shows, from its all.html, one a line.

    tests/external/release/surface.py all.html
"""

import pathlib
import re
import sys

text = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
items = re.findall(r'<a href="(?:[^"]*/)?(struct|enum|trait|fn|constant|static|type|macro|union)\.[^"]*">([^<]+)</a>', text)
if not items:
    sys.exit(f"{sys.argv[1]} shows no items")
for kind, name in sorted(items, key=lambda item: item[1]):
    print(f"{name} ({kind})")
