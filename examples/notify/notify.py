#!/usr/bin/env python3
"""Sends the failures, unknown outcomes and drift of an apply to a chat bot. Sends nothing when there are none.

    ess-callbacks apply --auto-approve --quiet --json-into events.jsonl || status=$?
    NOTIFY_URL=... notify.py slack events.jsonl

The first argument is wecom, feishu, dingtalk or slack. The bot's address is a secret, so it comes from
NOTIFY_URL; NOTIFY_SECRET is the bot's signing secret, where it has one (Feishu, DingTalk). CI_JOB_URL or
GitHub's variables add a link to the run. Needs Python 3.8 and nothing else.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

# The smallest limit of the four: WeCom takes 2048 bytes of text.
LONGEST = 1900


def story(lines):
    """The text for people, or None when there is nothing to say."""
    headline, rows = None, []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue  # The last line of a run that was killed.
        kind = event.get("type")
        if kind == "apply_report":
            report = event["report"]
            if not report["complete"] or report["drifted"]:
                headline = event["@message"]
        elif kind in ("apply_errored", "apply_unknown", "drift", "account_stopped"):
            rows.append(event["@message"])
        elif kind == "diagnostic" and event["@level"] == "error":
            # A guard, a lock, a stale plan, or what is wrong with the configuration.
            rows.append(event["@message"])
            if event["diagnostic"].get("help"):
                rows.append("  " + event["diagnostic"]["help"])
    if headline is None and not rows:
        return None
    return shortened([headline or "ess-callbacks did not finish"] + rows)


def shortened(rows):
    kept, size = [], 0
    for number, row in enumerate(rows):
        size += len(row.encode()) + 1
        if size > LONGEST and number > 0:
            kept.append("… and %d more" % (len(rows) - number))
            break
        kept.append(row.encode()[:LONGEST].decode(errors="ignore"))
    return "\n".join(kept)


def run_url(env):
    if env.get("CI_JOB_URL"):
        return env["CI_JOB_URL"]
    if env.get("GITHUB_RUN_ID"):
        return "%s/%s/actions/runs/%s" % (
            env.get("GITHUB_SERVER_URL", "https://github.com"), env["GITHUB_REPOSITORY"], env["GITHUB_RUN_ID"])
    return None


def signature(key, message):
    return base64.b64encode(hmac.new(key.encode(), message.encode(), hashlib.sha256).digest()).decode()


def wecom(text, url, _secret, _now):
    return url, {"msgtype": "text", "text": {"content": text}}


def feishu(text, url, secret, now):
    body = {"msg_type": "text", "content": {"text": text}}
    if secret:
        stamp = str(int(now))
        body.update(timestamp=stamp, sign=signature(stamp + "\n" + secret, ""))
    return url, body


def dingtalk(text, url, secret, now):
    if secret:
        stamp = str(int(now * 1000))
        sign = signature(secret, stamp + "\n" + secret)
        url += ("&" if "?" in url else "?") + urllib.parse.urlencode({"timestamp": stamp, "sign": sign})
    return url, {"msgtype": "text", "text": {"content": text}}


def slack(text, url, _secret, _now):
    # Escapes Slack's markup, so that a URL can't become a mention or a link.
    for sign, escape in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, escape)
    return url, {"text": text}


BOTS = {"wecom": wecom, "feishu": feishu, "dingtalk": dingtalk, "slack": slack}


def send(url, body):
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json; charset=utf-8"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        text = answer.read(65536).decode(errors="replace")
    try:
        answer = json.loads(text)
    except ValueError:
        return None  # Slack answers `ok`.
    # The others answer 200 whatever happens, with a separate code in the body.
    code = answer.get("errcode", answer.get("code", 0)) if isinstance(answer, dict) else 0
    return None if code == 0 else text


def main(arguments, env):
    if len(arguments) != 2 or arguments[0] not in BOTS:
        return "usage: notify.py %s EVENTS" % "|".join(BOTS)
    url = env.get("NOTIFY_URL", "")
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")):
        return "NOTIFY_URL must be the bot's https address"
    with open(arguments[1], encoding="utf-8") as events:
        text = story(events)
    if text is None:
        return None
    link = run_url(env)
    url, body = BOTS[arguments[0]](text + ("\n" + link if link else ""), url, env.get("NOTIFY_SECRET"), time.time())
    try:
        refused = send(url, body)
    except (urllib.error.URLError, OSError) as error:
        # Without the address: with it, a reader of the log could write to the chat.
        return "the bot can't be reached: %s" % getattr(error, "reason", error)
    return refused and "the bot refused the message: " + refused


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
