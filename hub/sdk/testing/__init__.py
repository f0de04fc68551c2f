"""The standard battery: what every connector must pass, inherited by its own short test file."""
