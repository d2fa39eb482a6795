"""The commands of this floor: arguments in, a document and its text out."""
