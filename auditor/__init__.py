"""Watches the mail profile of Keyfactor Command servers for drift and for breaches of policy."""

__version__ = "0.1.0"
