"""A user's own benchmark: any command that ends by printing one line of JSON."""
