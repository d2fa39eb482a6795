"""The venue simulated: parameter files, agents, scenarios, real events.  Floats live here, not in the engine."""
