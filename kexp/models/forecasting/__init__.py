"""Networks that forecast series: their inputs, their layers, and one builder for all of them."""
