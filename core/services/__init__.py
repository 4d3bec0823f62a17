"""Services: what may be done with the rows, in a transaction that somebody else opened and closes."""
