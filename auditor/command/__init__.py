"""Keyfactor Command: reads the SMTP profile of one server.

Secrets end in this package: what leaves it says whether one is set and where it is kept, never its value.
"""

import auditor.exchange  # noqa: F401 - before httpx, which it imports in its own way
