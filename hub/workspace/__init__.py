"""The workspace: load, lint and compile a folder of flows, mappings, policies and schemas into a bundle."""
