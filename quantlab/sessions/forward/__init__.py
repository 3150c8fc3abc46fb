"""Sessions that follow the market, bar by bar, whoever drives them."""
