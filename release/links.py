"""Links of a page that leaves the repository."""

import re

LINK = re.compile(r"\[([^\[\]]+)\]\(([^()\s]+)\)")


def elsewhere(text, beside, files=None):
    """The page with links to files that are not `beside` it leading to `files`, an address that ends with a slash, or
    without these links if that is not known."""

    def moved(link):
        title, target = link.groups()
        path = target.partition("#")[0]
        if "://" in target or not path or path in beside:
            return link.group()
        return f"[{title}]({files}{target})" if files else title

    parts = text.split("```")
    # Every second part is a block of code.
    parts[::2] = [LINK.sub(moved, part) for part in parts[::2]]
    return "```".join(parts)
