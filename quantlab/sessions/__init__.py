"""What a person does with one session: launch it, follow the market, abort, resolve, prove."""
