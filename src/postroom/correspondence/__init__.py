"""Threads and messages, where they sit, and the writer that stores them in pages."""
