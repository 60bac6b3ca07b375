"""Figures drawn from tables alone: one file per figure, each returns a matplotlib `Figure`."""
