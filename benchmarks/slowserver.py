"""A Command server that answers each GET after a wait, for any number of clients at once; `sweep.py` starts it in a process of its own.

Whoever is asked as `/N/KeyfactorAPI/SMTP` has a profile of its own, by N.
"""

import asyncio
import json
import ssl

PROFILE = {
    "Host": "smtp.office365.com",
    "Id": 1,
    "Port": 587,
    "RelayAuthenticationType": 3,
    "RelayUsername": None,
    "RelayPassword": None,
    "SenderName": "Certificate Services",
    "UseSSL": True,
    "ClientId": {"SecretValue": "*" * 20, "Parameters": {}, "Provider": None},
    "ClientSecret": {"SecretValue": None, "Parameters": {"SecretId": "2001"}, "Provider": 1},
    "TokenEndpoint": "https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000/oauth2/v2.0/token",
    "Scope": "https://outlook.office365.com/.default",
    "Audience": None,
    "RequestHeaders": None,
}


def answer(path: str) -> bytes:
    number = path.split("/")[1]
    body = json.dumps({**PROFILE, "SenderAccount": f"pki{number}@nordwerk-industrie.eu"}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nX-Keyfactor-Product-Version: 25.1.0\r\n\r\n"
    return head.encode() + body


async def main(certificate: str, key: str, wait_s: float) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(wait_s)
                writer.write(answer(request.split(b" ", 2)[1].decode()))
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def run(certificate: str, key: str, wait_s: str) -> None:
    """Serve until the process is ended; the port is printed first."""
    asyncio.run(main(certificate, key, float(wait_s)))
