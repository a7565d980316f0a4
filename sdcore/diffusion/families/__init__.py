"""How the network of each family is fed: one small adapter a family."""
