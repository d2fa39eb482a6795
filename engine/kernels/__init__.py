"""The hot loops of the engine compiled from C, with the bits of the NumPy path, which is their oracle and fallback."""
