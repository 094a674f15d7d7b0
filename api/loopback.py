"""Which addresses only this machine can reach; `neurosense` asks too, without the web framework."""

from functools import lru_cache
from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Tell whether an address to listen on can be reached from this machine only."""
    return host == "localhost" or is_loopback_address(host)


@lru_cache  # asked at every request, and parsing takes a while
def is_loopback_address(host: str) -> bool:
    """Tell whether it is an IP address of the loopback range; a name is none."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
