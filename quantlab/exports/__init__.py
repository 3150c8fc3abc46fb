"""What a session leaves for people and other programs: tables, charts, reports."""
