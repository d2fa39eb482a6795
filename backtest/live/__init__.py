"""The daily operation of a registered study: sealed days, emission, resolution, status, the join at its end."""
