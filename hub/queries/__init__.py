"""Read models: what screens, API and command line show, as frozen values."""
