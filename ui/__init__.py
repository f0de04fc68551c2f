"""The web console: server-rendered pages over `hub.queries` and `hub.operate`."""
