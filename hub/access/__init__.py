"""People, roles, sessions and tokens: who may do what, denied unless granted."""
