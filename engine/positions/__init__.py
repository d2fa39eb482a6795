"""From a filled signal to its money: prices, funding, exits, settlement, portfolio."""
