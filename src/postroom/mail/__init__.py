"""Values and pure functions about mail. No I/O, no clock, no Django."""
