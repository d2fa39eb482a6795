"""What the option constraints share: chains, pairs, hulls and forwards."""
