"""The frozen engine: a pure function from a market to violations, signals and resolutions."""
