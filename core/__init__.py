"""What would still be true if e-mail, Google and Amazon were replaced: values, rules, rows and services.

Synchronous. No network, no clock, no environment; time and randomness are arguments.
"""
