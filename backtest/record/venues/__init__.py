"""What differs between venues, as pure functions of bytes: how to subscribe, sequence rules, heartbeats.  [live L1]"""
