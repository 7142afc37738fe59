"""Compare language-model endpoints with exact tests, and write down the evidence."""

__version__ = "0.1.0"
