"""Shortcuts for what moto does whenever it starts to mock, and for finding its backends."""

from collections.abc import Sequence
from typing import Any


def shortcuts() -> Sequence[tuple[Any, str, Any]]:
    """Return what is replaced: where, which attribute, and by what."""
    import moto.core.models
    from moto.core.base_backend import AccountSpecificBackend, BackendDict, BaseBackend
    from moto.core.models import MockAWS

    core: Any = moto.core.models
    backends: Any = BackendDict
    enable: Any = MockAWS._enable_patching
    regions: Any = AccountSpecificBackend._generate_regions
    find: Any = BackendDict.__getitem__
    callbacks: dict[str, Sequence[Any]] = {}
    regions_found: dict[str, Sequence[str]] = {}

    # moto registers 644 callbacks per test, for calls without botocore: the same each time.
    def enabled(mocked: Any, reset: bool = True) -> None:
        if not callbacks:
            enable(mocked, reset)
            callbacks.update(core.responses_mock._registry._registered)
            return
        core.botocore_stubber.enabled = True
        if reset:
            mocked.reset()
        core.responses_mock.start()
        registered = core.responses_mock._registry._registered
        registered.update({method: list(those) for method, those in callbacks.items()})

    # moto makes each backend anew before it forgets it; only some have more to do at their end.
    def forget() -> None:
        for service in backends._instances:
            for of_account in service.values():
                for backend in of_account.values():
                    if type(backend).reset is not BaseBackend.reset:
                        backend.reset()
            service.clear()
        backends._instances.clear()

    def regions_of(backend: Any, service: str) -> Sequence[str]:
        if service not in regions_found:
            regions_found[service] = regions(backend, service)
        return regions_found[service]

    # moto compares the names of all services in use. One may have a backend and be none of them: that of SES, which the
    # end of the API's second version makes anew.
    def backend_of(service: Any, account: str) -> Any:
        found = dict.get(service, account)
        in_use = any(one is service for one in backends._instances)
        return found if in_use and found is not None else find(service, account)

    return (
        (MockAWS, "_enable_patching", enabled),
        (BackendDict, "reset", staticmethod(forget)),
        (AccountSpecificBackend, "_generate_regions", regions_of),
        (BackendDict, "__getitem__", backend_of),
    )
