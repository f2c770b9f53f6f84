"""The tests. Fakes are real servers and real processes; what can be tested against the real thing is."""
