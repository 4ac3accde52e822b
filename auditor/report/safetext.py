"""Text that is safe to show, under the name by which reports and the command line know it; what it does stands in `core.safetext`."""

from auditor.core.safetext import MAX_CHARACTERS, is_hidden, prose, safe

__all__ = ["MAX_CHARACTERS", "is_hidden", "prose", "safe"]
