"""Which tests need what only some systems have."""

from __future__ import annotations

import os

import pytest

needs_signals = pytest.mark.skipif(os.name == "nt", reason="Windows has no signals that a process can hear")
needs_helpers = pytest.mark.skipif(not hasattr(os, "fork"), reason="training has no helper processes here")
