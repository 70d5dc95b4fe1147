"""Makes the pages that check.cjs opens, with the sandbox.

    python3 pages.py PROGRAM FOLDER
"""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM, FOLDER = sys.argv[1], Path(sys.argv[2])

HOSTILE = [
    "</script><script>alert(1)</script>",
    '"><img src=//elsewhere.example/x onerror=alert(1)>',
    "</style><style>*{display:none}</style>",
    "<!-- --><base href=//elsewhere.example/>",
    "\\u202eabc\\u2066 " + "long" * 500,
]


def configuration(organizations, callbacks, first=0, descriptions=("合同回调",)):
    lines = ["version: 1", "environment: test", "organizations:"]
    for number in range(organizations):
        lines += [
            f"  organization-{number:04}:",
            f"    proxy_organization_id: yDtwEUUckp7f87yrUygaLZxYk2S{number:05}",
            f"    operator: yDw6yUUgyg3caowzUx4GQptRKfMn{number:04}",
            "    callbacks:",
        ]
        for callback in range(first, callbacks):
            lines += [
                f"      - url: https://hooks-{number}.example/esign/{callback:04}",
                f"        key: {{ env: KEY{number} }}",
                f"        token: {{ env: TOKEN{number} }}",
            ]
            if callback < len(descriptions):
                text = descriptions[callback].replace("'", "''")
                # In double quotes, so that \u escapes are read.
                quoted = text.replace('"', '\\"')
                lines.append(f'        description: "{quoted}"')
    return "\n".join(lines) + "\n"


def page(name, before, after):
    folder = FOLDER / name
    folder.mkdir()
    run = lambda *arguments: subprocess.run(
        [PROGRAM, "--sandbox", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (folder / "callbacks.yaml").write_text(before)
    run("apply", "--auto-approve", "--rate", "0")
    (folder / "callbacks.yaml").write_text(after)
    run("report", "--out", f"../{name}.html")


well = configuration(2, 5)
page("well", well, well)
page("pending", well, configuration(3, 6))
page("refused", well, configuration(1, 3, first=2))
page("hostile", well, configuration(2, 6, descriptions=HOSTILE))
page("many", configuration(100, 100), configuration(100, 101))
