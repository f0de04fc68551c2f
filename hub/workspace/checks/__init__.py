"""Checks over compiled files: what could never run, what does not fit, what is not used."""
