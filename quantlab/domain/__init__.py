"""What a session is and what happens to it; pure."""
