"""Prints what a controller serves under /metrics after its first round against the sandbox.

    scrape.py PROGRAM CONFIGURATION
"""

import re
import subprocess
import sys
import time
import urllib.request

PATIENCE = 60


def main(program, configuration):
    arguments = ["-f", configuration, "--sandbox", "controller", "--listen", "127.0.0.1:0"]
    with subprocess.Popen([program, *arguments], stdout=subprocess.PIPE, text=True) as controller:
        try:
            address = next(filter(None, map(re.compile("http://[^/]+").search, controller.stdout))).group()
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            end = time.monotonic() + PATIENCE
            while True:
                with opener.open(address + "/metrics") as answer:
                    text = answer.read().decode()
                if "ess_callbacks_last_round_timestamp_seconds" in text:
                    print(text, end="")
                    return
                assert time.monotonic() < end, text
                time.sleep(0.1)
        finally:
            controller.terminate()


if __name__ == "__main__":
    main(*sys.argv[1:])
