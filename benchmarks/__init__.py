"""Measured claims, each rerunnable by one command."""
