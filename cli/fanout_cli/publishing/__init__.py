"""Read events, check them against their contracts and publish them."""
