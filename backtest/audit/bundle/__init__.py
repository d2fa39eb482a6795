"""Bundles: collected, packed, unpacked and checked."""
