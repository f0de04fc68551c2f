"""The demo, the simulation and the proof: one oracle judges both from outside, and mutants must be caught."""
