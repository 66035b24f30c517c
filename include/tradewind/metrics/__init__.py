"""Metrics: a score for each item, apart from its aggregation."""
