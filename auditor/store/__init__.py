"""Keeps what was observed and concluded, in one SQLite file: recorded in one transaction, content-addressed, re-checked when read.

No secret comes here: what arrives is what `core.model` can hold.
"""
