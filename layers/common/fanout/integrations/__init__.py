"""Clients of services outside the platform: mail, payment providers, HTTP, and a handler for the logging module.

The runtime imports none of them.
"""
