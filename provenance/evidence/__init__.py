"""The store: append-only, chained, sealed; and the check that it still is what it was."""
