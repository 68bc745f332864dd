"""The page for people: the messages as a list that refreshes itself, and the faults in force.

It holds no script and its policy lets none run; Jinja escapes every value.
"""

from itertools import islice

from fastapi import Response

from simulators import pages
from simulators.fcm.faults import Faults, effect
from simulators.fcm.inbox import Inbox


def shown(inbox: Inbox, faults: Faults) -> Response:
    """Return the page."""
    templates = pages.templates("simulators.fcm", {"effect": effect})
    messages = list(islice(inbox.newest(), pages.NEWEST))
    html = templates.get_template("list.html").render(messages=messages, total=inbox.total, rules=list(faults))
    return pages.html(html)
