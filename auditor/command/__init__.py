"""Keyfactor Command: reads the SMTP profile of one server.

Secrets end in this package: what leaves it says whether one is set and where it is kept, never its value.
"""

import sys
from importlib import import_module

# httpx brings its own command line along (rich, pygments), httpcore its asynchronous half (anyio), if they find them: 80 ms, a tenth of a whole
# check, for what is never used here. Both do without. Hidden for this import alone.
_hidden = [name for name in ("httpx._main", "anyio") if name not in sys.modules]
sys.modules.update(dict.fromkeys(_hidden))  # type: ignore[arg-type]  # None: importing it is an ImportError
try:
    import_module("httpx")
finally:
    for _name in _hidden:
        del sys.modules[_name]
