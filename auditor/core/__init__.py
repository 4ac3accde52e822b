"""What the auditor knows and decides: pure functions and values, the standard library alone.

No network, disk, clock or logging here; whoever needs the time is given it.
"""
