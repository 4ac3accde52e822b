"""A Keyfactor Command that can be edited: serves the vendor's contract for the demo and for tests.

`command.Simulator` is the application, `server.serve` puts it on a loopback port, `ca.PrivateCa` signs for its TLS.
It is a far end for rehearsal, not a server for anything real: it keeps passwords in memory, in clear text.
"""
