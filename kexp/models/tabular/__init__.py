"""Networks for tables: their layers, and the builders that put them together."""
