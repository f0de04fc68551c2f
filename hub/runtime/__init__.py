"""The composition root: settings, wiring, the process that serves, and its regular ticks."""
