"""The demo and the proof: a scenario driven against sandboxes, judged from outside, and mutants that must be caught."""
