"""Entry points for deployed workers."""
