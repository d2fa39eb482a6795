"""What differs between venues, as pure functions of bytes: subscriptions, sequence rules, heartbeats.  [live L1]"""
