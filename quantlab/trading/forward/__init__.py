"""Following a market bar by bar: what was seen, what was revised after, what closed, and what to do about it. Pure."""
