"""What leaves: Draft, Submission, Attempt."""
