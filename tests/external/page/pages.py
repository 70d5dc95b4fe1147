"""Makes the pages that check.cjs opens, with the sandbox: of `report`, and one that a controller serves.

    python3 pages.py PROGRAM FOLDER
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
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


def served(name, before, after):
    """The page of a controller that has applied `before`, and waits with `after`, which the guards refuse."""
    folder = FOLDER / name
    folder.mkdir()
    (folder / "callbacks.yaml").write_text(before)
    command = [PROGRAM, "--sandbox", "controller", "--listen", "127.0.0.1:0"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as controller:
        try:
            said = filter(lambda line: "Status: " in line, controller.stdout)
            address = next(said).split()[-1]
            changed = False
            for _ in range(300):
                with urllib.request.urlopen(address + "status") as answer:
                    status = json.load(answer)
                if status["waiting"] and status["problems"]:
                    with urllib.request.urlopen(address) as answer:
                        (FOLDER / f"{name}.html").write_bytes(answer.read())
                    return
                if status["runs"] and not changed:
                    (folder / "callbacks.yaml").write_text(after)
                    changed = True
                time.sleep(0.2)
            sys.exit(f"the plan of {name} does not wait")
        finally:
            controller.terminate()


well = configuration(2, 5)
page("well", well, well)
page("pending", well, configuration(3, 6))
page("refused", well, configuration(1, 3, first=2))
served("controller", well, configuration(1, 3, first=2))
page("hostile", well, configuration(2, 6, descriptions=HOSTILE))
page("many", configuration(100, 100), configuration(100, 101))
