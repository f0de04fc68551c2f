"""Built-in connectors; each speaks one vendor system and imports, of the hub, only `hub.sdk`."""
