"""What is published: an sdist and a wheel, and what an empty environment makes of them."""
