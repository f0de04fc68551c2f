"""The simulation: the real engine on a virtual clock and a seeded order of events, with faults at every point."""
