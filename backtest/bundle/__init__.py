"""A run as one file that outlives its owner: packing, opening and checking it, and tampering with copies of it."""
