"""What the tests of several rooms share: fakes that pass their port's contract, and real servers on loopback."""
