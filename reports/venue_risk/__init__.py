"""The page of a simulation of a venue's risk mechanics."""
