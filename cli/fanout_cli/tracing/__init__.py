"""Trace an event: receipts, published events and dead letters, combined into one outcome per subscriber."""
