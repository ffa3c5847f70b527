"""The companion of two studies: their rules, the ledger, the book and the ``cxr`` command."""
