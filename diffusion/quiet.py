"""What the diffusion libraries say, without what says nothing, and without their progress bars among ours."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet"]

#: Messages without meaning to a user: an empty list of modules, and a way of reading pictures that nobody uses here.
IDLE = ("should be kept in float32: []", "requires torchvision (not installed)")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep progress bars and idle messages of diffusers and transformers back; other warnings come through."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    bars = (diffusers_logging, transformers_logging)
    shown = [library.is_progress_bar_enabled() for library in bars]
    handlers = [h for name in ("diffusers", "transformers") for h in logging.getLogger(name).handlers]
    for library in bars:
        library.disable_progress_bar()
    for handler in handlers:
        handler.addFilter(_means_something)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(_means_something)
        for library, was in zip(bars, shown, strict=True):
            if was:
                library.enable_progress_bar()


def _means_something(record: logging.LogRecord) -> bool:
    text = record.getMessage()
    return not any(idle in text for idle in IDLE)
