"""Addresses to listen on."""


def host_and_port(address: str) -> tuple[str, int]:
    """The two parts of HOST:PORT, an IPv6 host in brackets; raises ValueError for anything else."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        text = f"{address!r} is not HOST:PORT"
        raise ValueError(text)
    return host.strip("[]"), int(port)
