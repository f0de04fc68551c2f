"""The greeting service as a client meets it: greetings with versions, events, and signed webhooks."""
