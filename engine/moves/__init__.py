"""Signals moved to other times, repriced there: what the permutation nulls of H1 compare with.  [statistics 3.3]"""
