"""Guards and views, as `.sql` files to read, paste and EXPLAIN; a module says what the domain gives to its file."""
