"""The shell: everything that touches the network, the clock, the environment or a process."""
